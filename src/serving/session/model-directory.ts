import type { NotReady, UndefinedObject } from '../../errors/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { ServedModel } from '../served-model.ts';

/** Finds models by key. */
export interface ModelDirectory {
  get(key: string): ServedModel | undefined;
  /** The version of a model that answers now, even if its key has changed. */
  current(modelId: number): ServedModel | undefined;
  /** Whether a model has this key, loaded or still loading. */
  has(key: string): boolean;
  /** Reads the rows again for an unknown key; rejects with {@link UndefinedObject} if no model has it. */
  find(key: string): Promise<void>;
  /** Waits for a model that is loading; rejects with {@link UndefinedObject} or {@link NotReady}. */
  whenLoaded(key: string): Promise<ServedModel>;
}

export interface ClientOptions {
  models: ModelDirectory;
  clock: Clock;
}
