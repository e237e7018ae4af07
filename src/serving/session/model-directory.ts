import type { NotReady, UndefinedObject } from '../../errors/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { ServedModel } from '../served-model.ts';

/** Where the models of a key are found. */
export interface ModelDirectory {
  get(key: string): ServedModel | undefined;
  /** What answers for a model now, whatever its key has become. */
  current(modelId: number): ServedModel | undefined;
  /** Whether a model has this key, be it in memory or still being loaded. */
  has(key: string): boolean;
  /** Looks anew for a key that is not known; throws {@link UndefinedObject} where no model has it. */
  find(key: string): Promise<void>;
  /** Waits for a model that is being loaded; throws {@link UndefinedObject} or {@link NotReady}. */
  arrival(key: string): Promise<ServedModel>;
}

export interface ClientOptions {
  models: ModelDirectory;
  clock: Clock;
}
