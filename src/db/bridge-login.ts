import pg from 'pg';
import type { Queryable } from './database.ts';

/** Where a prediction server listens: a host, or the folder of a Unix socket. */
export interface BridgePlace {
  host: string;
  port: number;
}

/** All prediction servers, as the foreign server lists them for dblink, and the secret for them. */
export interface BridgeDirectory {
  places: BridgePlace[];
  secret: string;
}

/** As the service; without servers if none has ever run for this database. */
export async function selectBridges(on: Queryable): Promise<BridgeDirectory> {
  const sql = `
    select b.secret, (select array_agg(o) from pg_foreign_server f, unnest(f.srvoptions) o where f.srvname = 'rafiki_bridge') as options
    from rafiki.bridge b`;
  const [row] = await on.query<{ secret: string; options: string[] | null }>(sql);
  const listed = (name: string): string[] => {
    const option = row?.options?.find((each) => each.startsWith(`${name}=`));
    return option === undefined ? [] : option.slice(name.length + 1).split(',');
  };
  const ports = listed('port');
  const places = listed('host').map((host, i) => ({ host, port: Number(ports[i] ?? ports[0]) }));
  return { places, secret: row?.secret ?? '' };
}

export type BridgeRow = readonly [s: string, v: string | null, loc: string | null];

const CONNECT_MS = 5000;

/** One session at a prediction server, as a backend has one by dblink: one request after the other. */
export class BridgeSessionClient {
  readonly #client: pg.Client;
  #isLost = false;

  private constructor(client: pg.Client) {
    this.#client = client;
    const lose = (): void => {
      this.#isLost = true;
    };
    client.on('error', lose);
    client.on('end', lose);
  }

  /** Off this machine by TLS; the channel binding of SCRAM shows that nobody is in between, so no certificate is checked. */
  static async open({ host, port }: BridgePlace, secret: string): Promise<BridgeSessionClient> {
    const isLocal = host.startsWith('/') || host === '127.0.0.1' || host === '::1' || host === 'localhost';
    const client = new pg.Client({
      host,
      port,
      user: 'rafiki',
      password: secret,
      database: 'rafiki',
      connectionTimeoutMillis: CONNECT_MS,
      keepAlive: true,
      ssl: isLocal ? false : { rejectUnauthorized: false },
      enableChannelBinding: true,
    });
    const session = new BridgeSessionClient(client);
    await client.connect();
    return session;
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  ask(request: string): Promise<BridgeRow> {
    return new Promise((resolve, reject) => {
      this.#client.query(new BridgeQuestion(request, resolve, reject));
    });
  }

  /** Closes at once: the server drops the request in progress. */
  destroy(): void {
    this.#isLost = true;
    this.#client.connection.stream.destroy();
    void this.#client.end().catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#isLost = true;
    await this.#client.end().catch(() => undefined);
  }
}

/** A request and its one row, of texts: what pg's own query does for types and results would take as long as the rest of a session's work. */
class BridgeQuestion implements pg.Submittable {
  readonly #request: string;
  readonly #resolve: (row: BridgeRow) => void;
  readonly #reject: (error: Error) => void;
  #row: BridgeRow = ['e', '{"sqlstate":"08P01","message":"the prediction server sent no reply"}', null];

  constructor(request: string, resolve: (row: BridgeRow) => void, reject: (error: Error) => void) {
    this.#request = request;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  submit(connection: pg.Connection): void {
    connection.query(this.#request);
  }

  handleRowDescription(): void {}

  handleDataRow({ fields: [s, v = null, loc = null] }: { fields: (string | null)[] }): void {
    this.#row = [s ?? '', v, loc];
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.#resolve(this.#row);
  }

  handleError(error: Error): void {
    this.#reject(error);
  }
}
