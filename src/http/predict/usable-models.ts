import type { InputKind, OutputKind } from '../../domain/task.ts';
import { UndefinedObject } from '../../errors/errors.ts';
import type { TimerClock } from '../../runtime/clock.ts';
import type { SignedIn } from '../sign-in/signed-in.ts';

/** A model that a role may use, and its access key. */
export interface UsableModel {
  id: number;
  name: string;
  key: string;
  task: string;
  input: InputKind;
  output: OutputKind;
  /** The deployed version; null while none is. */
  version: number | null;
  /** The columns that it reads, and their kinds, if several are one input. */
  features: string[] | null;
  kinds: string[] | null;
  /** Bytes of the probabilities of one answer as JSON. */
  classBytes: number;
}

/** Keys are read again after this, even if no change was notified. */
const MAX_AGE_MS = 10_000;
const MAX_MODELS = 256;
/** Any role may send any number of NOTIFYs: this bounds how often all is read again. A key that has changed is refused anyway. */
const MIN_FORGET_MS = 100;

interface KnownModel {
  model: UsableModel;
  readMs: number;
}

/**
 * The models that roles may use. Each role's are read with its own rights, and kept for it alone; the servers check the key of every
 * request, and a right that ends changes it.
 */
export class UsableModels {
  readonly #clock: TimerClock;
  #forgetting = false;
  #known = new WeakMap<object, Map<string, KnownModel>>();

  constructor(clock: TimerClock) {
    this.#clock = clock;
  }

  /** Without a promise if it was read recently. Throws what rafiki_predict raises for a model that the role may not use. */
  of(role: SignedIn, name: string): UsableModel | Promise<UsableModel> {
    const known = this.#known.get(role.identity)?.get(name);
    if (known !== undefined && this.#clock.nowMs() - known.readMs < MAX_AGE_MS) return known.model;
    return this.#read(role, name);
  }

  /** Forgets one model of a role. */
  forget(role: SignedIn, name: string): void {
    this.#known.get(role.identity)?.delete(name);
  }

  /** A request to this process changed a model or ended a right: the next one sees it, even before a notification comes. */
  forgetNow(): void {
    this.#known = new WeakMap();
  }

  /** A notification: models have changed. */
  forgetAll(): void {
    if (this.#forgetting) return;
    this.#forgetting = true;
    this.#known = new WeakMap();
    this.#clock.after(MIN_FORGET_MS, () => {
      this.#forgetting = false;
      this.#known = new WeakMap(); // for notifications since
    });
  }

  async #read(role: SignedIn, name: string): Promise<UsableModel> {
    const generation = this.#known;
    const readMs = this.#clock.nowMs();
    const [model] = await role.call<UsableModel>('usable_model', { model: name });
    if (model === undefined) {
      this.forget(role, name);
      await role.call('no_answer', { model: name });
      throw new UndefinedObject('the model does not exist');
    }
    const models = generation.get(role.identity) ?? new Map<string, KnownModel>();
    generation.set(role.identity, models);
    const [oldest] = models.keys();
    if (models.size >= MAX_MODELS && oldest !== undefined) models.delete(oldest);
    models.set(name, { model, readMs });
    return model;
  }
}
