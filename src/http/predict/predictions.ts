import { InvalidEncoding, InvalidParameter, RequestTooLarge, StatementRefused } from '../../errors/errors.ts';
import { readArrayLiteral } from '../../protocol/array-literal.ts';
import { MAX_INPUTS } from '../../protocol/input-array.ts';
import {
  isTraceparent,
  type LatencyOptions,
  parseLatencyOptions,
  TRACE_SEPARATOR,
} from '../../protocol/latency-options.ts';
import { SEPARATOR } from '../../protocol/request.ts';
import type { FairGate } from '../fair-gate.ts';
import type { SignedIn } from '../sign-in/signed-in.ts';
import type { BridgePool } from './bridge-pool.ts';
import type { UsableModel, UsableModels } from './usable-models.ts';

/** As rafiki_predict_detail has it. */
export type PredictedDetail = {
  label?: string;
  probabilities?: Record<string, number>;
  number?: number;
  boxes?: Record<string, unknown>[];
  versions: number[];
  batch: number;
  ms: number;
  overdue: boolean;
};

export interface PredictionTerms {
  latency: LatencyOptions;
  /** Aborts when the client disconnects. */
  signal: AbortSignal;
}

/** Inputs as the bridge reads them: texts, images in base64, rows as JSON objects. */
export type SentInputs = readonly (string | null)[];

export interface PredictionsOptions {
  pool: BridgePool;
  models: UsableModels;
  gate: FairGate;
}

/** Of the inputs of one request as JSON; the bridge accepts twice as much of texts. */
const MAX_PART_CHARS = 2_000_000;
const MAX_PART_INPUTS = MAX_INPUTS / 2;
/** Of the details of one request; DETAIL_BYTES without its classes. */
const MAX_DETAIL_CHARS = 4_000_000;
const DETAIL_CHARS = 400;
/** Of all details of one answer: they are kept until the last one is there. */
const MAX_ANSWER_CHARS = 64_000_000;

const UNDEFINED_OBJECT = '42704';

/** Predictions straight at the servers, as a SQL session has them by the bridge: the same requests, keys, queue and budgets. */
export class Predictions {
  readonly #options: PredictionsOptions;

  constructor(options: PredictionsOptions) {
    this.#options = options;
  }

  model(role: SignedIn, name: string): UsableModel | Promise<UsableModel> {
    return this.#options.models.of(role, name);
  }

  /** The label, the number as text, or the objects as JSON; null for an overdue one, if asked so. */
  predict(role: SignedIn, name: string, input: string, terms: PredictionTerms): Promise<string | null> {
    checkInputs([input]);
    return this.#withKey(role, name, (model) =>
      this.#ask(role, request('P', model, role, terms.latency, `${SEPARATOR}${input}`), terms),
    );
  }

  /** In the order of the inputs; null for null. */
  async predictMany(
    role: SignedIn,
    name: string,
    inputs: SentInputs,
    terms: PredictionTerms,
  ): Promise<(string | null)[]> {
    checkInputs(inputs);
    const labels: (string | null)[] = [];
    for (const part of partsOf(inputs, MAX_PART_INPUTS)) {
      const reply = await this.#withKey(role, name, (model) =>
        this.#ask(role, request('A', model, role, terms.latency, JSON.stringify(part)), terms),
      );
      for (const label of readArrayLiteral(reply ?? '{}')) labels.push(label);
    }
    return labels;
  }

  /** As {@link predictMany}, with probabilities or boxes. Throws {@link RequestTooLarge} if they would be too many. */
  async detailMany(
    role: SignedIn,
    name: string,
    inputs: SentInputs,
    terms: PredictionTerms,
  ): Promise<(PredictedDetail | null)[]> {
    checkInputs(inputs);
    const { classBytes } = await this.model(role, name);
    checkDetails(inputs, classBytes);
    const details: (PredictedDetail | null)[] = [];
    const maxInputs = Math.max(1, Math.trunc(MAX_DETAIL_CHARS / (DETAIL_CHARS + classBytes)));
    for (const part of partsOf(inputs, Math.min(MAX_PART_INPUTS, maxInputs))) {
      const reply = await this.#withKey(role, name, (model) =>
        this.#ask(role, request('B', model, role, terms.latency, JSON.stringify(part)), terms),
      );
      for (const detail of readArrayLiteral(reply ?? '{}')) {
        details.push(detail === null ? null : (JSON.parse(detail) as PredictedDetail));
      }
    }
    return details;
  }

  /** What rafiki_explain_detail returns, without the values of columns; null if it would be overdue. `about`: a class. */
  async explain(
    role: SignedIn,
    name: string,
    { input, about }: { input: string; about: string | undefined },
    terms: PredictionTerms,
  ): Promise<unknown> {
    checkInputs([input]);
    const asked = about === undefined ? '' : JSON.stringify(about);
    const reply = await this.#withKey(role, name, (model) =>
      this.#ask(role, request('E', model, role, terms.latency, `${asked}${SEPARATOR}${input}`), terms),
    );
    return reply === null ? null : JSON.parse(reply);
  }

  #ask(role: SignedIn, sent: string, { signal }: PredictionTerms): Promise<string | null> {
    return this.#options.gate.run(role.role, () => this.#options.pool.ask(sent, signal));
  }

  /** Repeats with a new key if the one that was kept is no longer the model's. */
  async #withKey<T>(role: SignedIn, name: string, work: (model: UsableModel) => Promise<T>): Promise<T> {
    const found = this.#options.models.of(role, name);
    const model = found instanceof Promise ? await found : found;
    try {
      return await work(model);
    } catch (error) {
      const isUnknown = error instanceof StatementRefused && error.sqlstate === UNDEFINED_OBJECT;
      if (!isUnknown) throw error;
      this.#options.models.forget(role, name); // a notification may have done so already
      const again = await this.#options.models.of(role, name);
      if (again.key === model.key) {
        await role.call('no_answer', { model: name }); // raises why, as for rafiki_predict
        throw error;
      }
      return work(again);
    }
  }
}

/** Half of a pair: with the flag u, whole pairs are other characters. */
const loneSurrogate = /\p{Surrogate}/u;

/** A line of fields; the input may contain the separator, the others cannot: a key, a role without it, canonical terms. */
function request(
  verb: 'P' | 'A' | 'B' | 'E',
  { key, input }: UsableModel,
  { servedAs }: SignedIn,
  { budgetMs, onOverdue, traceparent }: LatencyOptions,
  rest: string,
): string {
  const letter = input === 'image' ? verb.toLowerCase() : verb;
  const budget = budgetMs === null ? '' : `${budgetMs.toFixed(3)}ms`;
  const terms = traceparent === undefined ? onOverdue : `${onOverdue}${TRACE_SEPARATOR}${traceparent}`;
  return [letter, key, servedAs, budget, terms, rest].join(SEPARATOR);
}

/** Throws {@link InvalidEncoding}. The bridge refuses inputs that are too large. */
function checkInputs(inputs: SentInputs): void {
  for (const input of inputs) {
    if (input === null) continue;
    if (input.includes('\0') || loneSurrogate.test(input)) {
      throw new InvalidEncoding('an input is no text that PostgreSQL can have', {
        detail: 'It contains NUL, or half of a surrogate pair.',
        hint: 'Remove it.',
      });
    }
  }
}

function checkDetails({ length }: SentInputs, classBytes: number): void {
  const max = Math.trunc(MAX_ANSWER_CHARS / (DETAIL_CHARS + classBytes));
  if (length <= Math.max(1, max)) return;
  throw new RequestTooLarge('the details of so many inputs are too large', {
    detail: `The request has ${length} inputs; with the classes of this model the maximum is ${max}.`,
    hint: 'Split it, or ask for answers without details.',
  });
}

/** Parts whose JSON stays below the bridge's limit; a longer input has one of its own. */
function* partsOf(inputs: SentInputs, maxInputs: number): Generator<SentInputs> {
  let from = 0;
  let chars = 0;
  for (const [i, input] of inputs.entries()) {
    const length = input?.length ?? 4;
    if (i > from && (chars + length > MAX_PART_CHARS || i - from >= maxInputs)) {
      yield inputs.slice(from, i);
      from = i;
      chars = 0;
    }
    chars += length;
  }
  if (from < inputs.length) yield inputs.slice(from);
}

/** The headers Rafiki-Latency-Budget, Rafiki-On-Overdue and traceparent. Throws InvalidParameter. */
export function latencyOf(headers: Readonly<Record<string, string | string[] | undefined>>): LatencyOptions {
  const options = parseLatencyOptions(one(headers, 'rafiki-latency-budget'), one(headers, 'rafiki-on-overdue'));
  const { traceparent } = headers;
  return typeof traceparent === 'string' && isTraceparent(traceparent) ? { ...options, traceparent } : options;
}

function one(headers: Readonly<Record<string, string | string[] | undefined>>, name: string): string {
  const value = headers[name] ?? '';
  if (typeof value === 'string') return value;
  throw new InvalidParameter(`the header ${name} was sent more than once`, { hint: 'Send it once.' });
}
