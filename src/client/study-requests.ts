import type { RafikiApi } from './api.ts';
import type { ClientRequestOptions, HttpConnection, SentRequest } from './connection.ts';
import { watchStudy } from './watch.ts';

export interface ListOptions extends ClientRequestOptions {
  limit?: number;
  offset?: number;
}

export type UploadFile = NonNullable<SentRequest['body']>;

/** By the end of a file's name. */
const fileTypes = {
  csv: 'text/csv',
  jsonl: 'application/x-ndjson',
  parquet: 'application/vnd.apache.parquet',
  zip: 'application/zip',
} as const;

export interface FileOptions extends ClientRequestOptions {
  format?: keyof typeof fileTypes;
}

/** A path whose parts may be any names. */
export const pathOf = (strings: TemplateStringsArray, ...names: (string | number)[]): string =>
  strings.map((text, i) => text + (i < names.length ? encodeURIComponent(String(names[i])) : '')).join('');

/** Data sets and studies of a role. */
export class StudyRequests {
  protected readonly http: HttpConnection;

  constructor(http: HttpConnection) {
    this.http = http;
  }

  me = (options?: ClientRequestOptions): Promise<RafikiApi['Role']> => this.http.json('/v1/me', options);

  /** Makes a table of a file. Needs the role's password. */
  upload(
    dataset: string,
    file: UploadFile,
    { schema, ...options }: FileOptions & { schema?: string } = {},
  ): Promise<RafikiApi['Upload']> {
    return this.#send(pathOf`/v1/datasets/${dataset}`, file, options, { schema });
  }

  /** Appends the rows of a file to a table, all or none. Needs the role's password. */
  append(dataset: string, file: UploadFile, options: FileOptions = {}): Promise<RafikiApi['Upload']> {
    return this.#send(pathOf`/v1/datasets/${dataset}/rows`, file, options);
  }

  async datasets(options: ListOptions = {}): Promise<RafikiApi['Dataset'][]> {
    return (await this.list<'datasets', RafikiApi['Dataset']>('/v1/datasets', options)).datasets;
  }

  dataset(name: string, options?: ClientRequestOptions): Promise<RafikiApi['Dataset']> {
    return this.http.json(pathOf`/v1/datasets/${name}`, options);
  }

  /** Needs the role's password. */
  async dropDataset(name: string, options?: ClientRequestOptions): Promise<void> {
    await this.http.json(pathOf`/v1/datasets/${name}`, { method: 'DELETE', ...options });
  }

  /** Starts a study: the arguments of rafiki_train. */
  train(study: RafikiApi['TrainArguments'], options?: ClientRequestOptions): Promise<RafikiApi['Study']> {
    return this.http.json('/v1/studies', { json: study, ...options });
  }

  /** What is to be known of the rows of such a study, before it: as rafiki_check. */
  async check(study: RafikiApi['TrainArguments'], options?: ClientRequestOptions): Promise<RafikiApi['Finding'][]> {
    const request = { json: study, isLong: true, ...options };
    return (await this.http.json<{ findings: RafikiApi['Finding'][] }>('/v1/studies/check', request)).findings;
  }

  /** The study whenever it changes, until it ends; connects again by itself. */
  watch(study: number, options?: Pick<ClientRequestOptions, 'signal'>): AsyncGenerator<RafikiApi['Study'], void, void> {
    return watchStudy(this.http, study, options);
  }

  /** Resolves when the study has ended, however it did. */
  async wait(study: number, options?: Pick<ClientRequestOptions, 'signal'>): Promise<RafikiApi['Study']> {
    let last: RafikiApi['Study'] | undefined;
    for await (const each of this.watch(study, options)) last = each;
    return last ?? this.study(study, options);
  }

  study(study: number, options?: ClientRequestOptions): Promise<RafikiApi['Study']> {
    return this.http.json(pathOf`/v1/studies/${study}`, options);
  }

  async studies({
    model,
    state,
    ...options
  }: ListOptions & { model?: string; state?: string } = {}): Promise<RafikiApi['Study'][]> {
    return (await this.list<'studies', RafikiApi['Study']>('/v1/studies', options, { model, state })).studies;
  }

  /** False if the study had ended already, as of the next four. */
  cancel = (study: number, options?: ClientRequestOptions): Promise<boolean> => this.#steer(study, 'cancel', options);
  /** Ends it now, and keeps what it has. */
  finish = (study: number, options?: ClientRequestOptions): Promise<boolean> => this.#steer(study, 'finish', options);
  pause = (study: number, options?: ClientRequestOptions): Promise<boolean> => this.#steer(study, 'pause', options);
  resume = (study: number, options?: ClientRequestOptions): Promise<boolean> => this.#steer(study, 'resume', options);
  /** Gives it more time, an interval of SQL: '10 min'. */
  extend = (study: number, more: string, options?: ClientRequestOptions): Promise<boolean> =>
    this.#steer(study, 'extend', { json: { more }, ...options });

  async trials(
    study: number,
    { order, ...options }: ListOptions & { order?: 'number' | 'best' } = {},
  ): Promise<RafikiApi['Trial'][]> {
    return (await this.list<'trials', RafikiApi['Trial']>(pathOf`/v1/studies/${study}/trials`, options, { order }))
      .trials;
  }

  /** Learning curves: of all trials of the study, or of one. */
  async reports(
    study: number,
    { trial, ...options }: ListOptions & { trial?: number } = {},
  ): Promise<RafikiApi['Report'][]> {
    const path =
      trial === undefined ? pathOf`/v1/studies/${study}/reports` : pathOf`/v1/studies/${study}/trials/${trial}/reports`;
    return (await this.list<'reports', RafikiApi['Report']>(path, options)).reports;
  }

  protected async list<Name extends string, Row>(
    path: string,
    { limit, offset, ...options }: ListOptions,
    query: Record<string, string | undefined> = {},
  ): Promise<Record<Name, Row[]>> {
    return this.http.json(path, { ...options, query: { limit, offset, ...query } });
  }

  protected change<Answer>(path: string, options?: SentRequest): Promise<Answer> {
    return this.http.json(path, { method: 'POST', ...options });
  }

  #send(
    path: string,
    body: UploadFile,
    { format = 'csv', ...options }: FileOptions,
    query: { schema?: string | undefined } = {},
  ): Promise<RafikiApi['Upload']> {
    return this.http.json(path, { body, type: fileTypes[format], query, isLong: true, ...options });
  }

  async #steer(study: number, step: string, options?: SentRequest): Promise<boolean> {
    return (await this.change<{ done: boolean }>(pathOf`/v1/studies/${study}/${step}`, options)).done;
  }
}
