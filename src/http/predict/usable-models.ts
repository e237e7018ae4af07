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

/** Keys are read again after this, in the background, even if no change was notified; after twice this nothing is answered with them. */
const MAX_AGE_MS = 10_000;
const MAX_MODELS = 256;
/** Any role may send any number of NOTIFYs: this bounds how often all is read again. A key that has changed is refused anyway. */
const MIN_FORGET_MS = 100;

interface KnownModel {
  model?: UsableModel;
  readMs: number;
  /** All requests that come meanwhile wait for the same one. */
  reading?: Promise<UsableModel> | undefined;
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
    const models = this.#modelsOf(role);
    const known = models.get(name) ?? this.#add(models, name);
    const ageMs = this.#clock.nowMs() - known.readMs;
    if (known.model !== undefined && ageMs < MAX_AGE_MS) return known.model;
    known.reading ??= this.#read(role.forAll(), name, known).catch((error: unknown) => {
      if (models.get(name) === known) models.delete(name);
      throw error;
    });
    if (known.model === undefined || ageMs >= 2 * MAX_AGE_MS) return known.reading;
    known.reading.catch(() => undefined); // the next request is told
    return known.model;
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

  #modelsOf({ identity }: SignedIn): Map<string, KnownModel> {
    const models = this.#known.get(identity) ?? new Map<string, KnownModel>();
    this.#known.set(identity, models);
    return models;
  }

  #add(models: Map<string, KnownModel>, name: string): KnownModel {
    const [oldest] = models.keys();
    if (models.size >= MAX_MODELS && oldest !== undefined) models.delete(oldest);
    const known: KnownModel = { readMs: Number.NEGATIVE_INFINITY };
    models.set(name, known);
    return known;
  }

  async #read(role: SignedIn, name: string, known: KnownModel): Promise<UsableModel> {
    const readMs = this.#clock.nowMs();
    try {
      const [model] = await role.call<UsableModel>('usable_model', { model: name });
      if (model === undefined) {
        await role.call('no_answer', { model: name });
        throw new UndefinedObject('the model does not exist');
      }
      Object.assign(known, { model, readMs });
      return model;
    } finally {
      known.reading = undefined;
    }
  }
}
