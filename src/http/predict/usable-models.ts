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
  #known = new WeakMap<SignedIn, Map<string, KnownModel>>();

  constructor(clock: TimerClock) {
    this.#clock = clock;
  }

  /** Without a promise if it was read recently. Throws what rafiki_predict raises for a model that the role may not use. */
  of(role: SignedIn, name: string): UsableModel | Promise<UsableModel> {
    const known = this.#known.get(role)?.get(name);
    if (known !== undefined && this.#clock.nowMs() - known.readMs < MAX_AGE_MS) return known.model;
    return this.#read(role, name);
  }

  /** Forgets one model of a role; whether it was known. */
  forget(role: SignedIn, name: string): boolean {
    return this.#known.get(role)?.delete(name) ?? false;
  }

  /** Models have changed. */
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
    const [model] = await role.rows<UsableModel>(usable, [name]);
    if (model === undefined) {
      this.forget(role, name);
      await role.rows('select rafiki._explain_no_answer($1)', [name]);
      throw new UndefinedObject('the model does not exist');
    }
    const models = generation.get(role) ?? new Map<string, KnownModel>();
    generation.set(role, models);
    const [oldest] = models.keys();
    if (models.size >= MAX_MODELS && oldest !== undefined) models.delete(oldest);
    models.set(name, { model, readMs });
    return model;
  }
}

const usable = `
  select a.id, a.name, a.key #>> '{}' as key, m.task, t.input, t.output, v.version, v.features,
    v.kinds, coalesce((select sum(octet_length(c) + 10) from unnest(k.classes) c), 0) as "classBytes"
  from rafiki.model_access a
    join rafiki.model m on m.id = a.id
    join rafiki.task t on t.name = m.task
    left join rafiki.deployment d on d.model_id = a.id and d.state = 'ready'
    left join rafiki.model_version v on v.id = d.version_id
    left join rafiki.version_classes k on k.id = v.id
  where a.name = $1
  order by d.id desc limit 1`;
