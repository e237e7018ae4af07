/** `import { Rafiki } from 'rafiki/client'`: for browsers and Node, with `fetch` only. */
import type { RafikiApi } from './api.ts';
import { base64, type ClientRequestOptions, type ConnectionOptions, HttpConnection } from './connection.ts';
import { type ListOptions, pathOf, StudyRequests } from './study-requests.ts';

export type { RafikiApi } from './api.ts';
export type { ClientRequestOptions, ConnectionOptions } from './connection.ts';
export {
  Conflict,
  InvalidRequest,
  NotAllowed,
  NotFound,
  NotSignedIn,
  RequestError,
  TimedOut,
  TooLarge,
  TooMany,
  Unavailable,
} from './http-errors.ts';
export type { FileOptions, ListOptions, UploadFile } from './study-requests.ts';

/** A text; the bytes of an image file; or a row, by the names of its columns. */
export type QueryInput = string | Uint8Array | ArrayBuffer | Blob | { readonly [column: string]: unknown };

/** A label, a number, or the objects in an image; null if it is overdue and `onOverdue` is null. */
export type PredictedAnswer = string | number | Record<string, unknown>[] | null;

export interface PredictOptions extends ClientRequestOptions {
  /** The time that the answer may take: `50ms`. */
  latencyBudget?: string;
  onOverdue?: 'answer' | 'error' | 'null';
}

/** A rafiki HTTP server, as one role. Methods throw a RequestError. */
export class Rafiki extends StudyRequests {
  constructor(options: ConnectionOptions) {
    super(new HttpConnection(options));
  }

  async models({ task, ...options }: ListOptions & { task?: string } = {}): Promise<RafikiApi['Version'][]> {
    return (await this.list<'models', RafikiApi['Version']>('/v1/models', options, { task })).models;
  }

  model(name: string, options?: ClientRequestOptions): Promise<RafikiApi['Model']> {
    return this.http.json(pathOf`/v1/models/${name}`, options);
  }

  async deploy(model: string, version: number, options?: ClientRequestOptions): Promise<void> {
    await this.http.json(pathOf`/v1/models/${model}/deploy`, { json: { version }, ...options });
  }

  /** The version that answers now. */
  async rollback(model: string, options?: ClientRequestOptions): Promise<number | null> {
    return (await this.change<{ version: number | null }>(pathOf`/v1/models/${model}/rollback`, options)).version;
  }

  async undeploy(model: string, options?: ClientRequestOptions): Promise<boolean> {
    return (await this.change<{ done: boolean }>(pathOf`/v1/models/${model}/undeploy`, options)).done;
  }

  async dropModel(model: string, options?: ClientRequestOptions): Promise<void> {
    await this.http.json(pathOf`/v1/models/${model}`, { method: 'DELETE', ...options });
  }

  async dropVersion(model: string, version: number, options?: ClientRequestOptions): Promise<void> {
    await this.http.json(pathOf`/v1/models/${model}/versions/${version}`, { method: 'DELETE', ...options });
  }

  /** The model as an ONNX file. */
  exportModel(model: string, options?: ClientRequestOptions): Promise<Uint8Array> {
    return this.http.bytes(pathOf`/v1/models/${model}/file`, { isLong: true, ...options });
  }

  async grant(model: string, role: string, options?: ClientRequestOptions): Promise<void> {
    await this.http.json(pathOf`/v1/models/${model}/grants`, { json: { role }, ...options });
  }

  async revoke(model: string, role: string, options?: ClientRequestOptions): Promise<void> {
    await this.http.json(pathOf`/v1/models/${model}/grants/${role}`, { method: 'DELETE', ...options });
  }

  /** One prediction, or one for each query of a list. */
  predict(model: string, query: QueryInput, options?: PredictOptions): Promise<PredictedAnswer>;
  predict(model: string, queries: readonly QueryInput[], options?: PredictOptions): Promise<PredictedAnswer[]>;
  async predict(
    model: string,
    asked: QueryInput | readonly QueryInput[],
    options?: PredictOptions,
  ): Promise<PredictedAnswer | PredictedAnswer[]> {
    const { prediction = null, predictions = [] } = await this.#predict(model, asked, options);
    return Array.isArray(asked) ? predictions : prediction;
  }

  /** With probabilities or boxes, versions, and times: as rafiki_predict_detail. */
  detail(model: string, query: QueryInput, options?: PredictOptions): Promise<RafikiApi['Detail'] | null>;
  detail(
    model: string,
    queries: readonly QueryInput[],
    options?: PredictOptions,
  ): Promise<(RafikiApi['Detail'] | null)[]>;
  async detail(
    model: string,
    asked: QueryInput | readonly QueryInput[],
    options?: PredictOptions,
  ): Promise<RafikiApi['Detail'] | null | (RafikiApi['Detail'] | null)[]> {
    const { detail = null, details = [] } = await this.#predict(model, asked, options, true);
    return Array.isArray(asked) ? details : detail;
  }

  /** Scores on labelled rows, with confidence intervals. */
  async evaluate(
    model: string,
    rows: RafikiApi['LabelledRows'],
    options?: ClientRequestOptions,
  ): Promise<RafikiApi['Metric'][]> {
    const path = pathOf`/v1/models/${model}/evaluate`;
    return (await this.#measure<{ metrics: RafikiApi['Metric'][] }>(path, rows, options)).metrics;
  }

  async confusion(
    model: string,
    rows: RafikiApi['LabelledRows'],
    options?: ClientRequestOptions,
  ): Promise<RafikiApi['ConfusionCell'][]> {
    const path = pathOf`/v1/models/${model}/confusion`;
    return (await this.#measure<{ cells: RafikiApi['ConfusionCell'][] }>(path, rows, options)).cells;
  }

  async classReport(
    model: string,
    rows: RafikiApi['LabelledRows'],
    options?: ClientRequestOptions,
  ): Promise<RafikiApi['ClassScore'][]> {
    const path = pathOf`/v1/models/${model}/class_report`;
    return (await this.#measure<{ classes: RafikiApi['ClassScore'][] }>(path, rows, options)).classes;
  }

  /** The token, which is shown this once. Needs the role's password. */
  async createToken(
    name: string,
    {
      validFor,
      onlyPredicts = false,
      ...options
    }: ClientRequestOptions & { validFor?: string; onlyPredicts?: boolean } = {},
  ): Promise<string> {
    const json = { name, only_predicts: onlyPredicts, ...(validFor === undefined ? {} : { valid_for: validFor }) };
    return (await this.http.json<RafikiApi['NewToken']>('/v1/tokens', { json, ...options })).token;
  }

  async tokens(options?: ClientRequestOptions): Promise<RafikiApi['Token'][]> {
    return (await this.http.json<{ tokens: RafikiApi['Token'][] }>('/v1/tokens', options)).tokens;
  }

  async revokeToken(name: string, options?: ClientRequestOptions): Promise<void> {
    await this.http.json(pathOf`/v1/tokens/${name}`, { method: 'DELETE', ...options });
  }

  async #predict(
    model: string,
    asked: QueryInput | readonly QueryInput[],
    { latencyBudget, onOverdue, ...options }: PredictOptions = {},
    detail = false,
  ): Promise<RafikiApi['Prediction']> {
    const inputs = Array.isArray(asked)
      ? { queries: await Promise.all(asked.map(inputOf)) }
      : { query: await inputOf(asked as QueryInput) };
    const headers = {
      ...(latencyBudget === undefined ? {} : { 'rafiki-latency-budget': latencyBudget }),
      ...(onOverdue === undefined ? {} : { 'rafiki-on-overdue': onOverdue }),
    };
    return this.http.json(pathOf`/v1/models/${model}/predict`, {
      json: { ...inputs, ...(detail ? { detail } : {}) },
      headers,
      ...options,
    });
  }

  #measure<Answer>(path: string, rows: RafikiApi['LabelledRows'], options?: ClientRequestOptions): Promise<Answer> {
    return this.http.json(path, { json: rows, isLong: true, ...options });
  }
}

/** Bytes of an image go in base64. */
async function inputOf(query: QueryInput): Promise<unknown> {
  if (query instanceof Blob) return { b64: base64(new Uint8Array(await query.arrayBuffer())) };
  if (query instanceof ArrayBuffer) return { b64: base64(new Uint8Array(query)) };
  if (query instanceof Uint8Array) return { b64: base64(query) };
  return query;
}
