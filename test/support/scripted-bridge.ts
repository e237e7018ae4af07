import { createCertificate } from '../../src/bridge/certificate.ts';
import { BridgeServer } from '../../src/bridge/server.ts';
import type { Queryable } from '../../src/db/database.ts';
import { readInputs } from '../../src/protocol/input-array.ts';
import type { Reply } from '../../src/protocol/reply.ts';
import { checkSize } from '../../src/protocol/request.ts';
import { silentLogger } from '../../src/runtime/logger.ts';

export const reply = (v: string | null, s: Reply['s'] = 'k', loc: string | null = null): Reply => ({ s, v, loc });

/** The real wire server, with a conversation that notes what was asked, refuses what ours does for its size, and answers what the test wants. */
export class ScriptedBridge {
  /** The fields of each request. */
  requests: string[][] = [];
  answer: (fields: string[]) => Reply | Promise<Reply> = (fields) => reply(`<${fields.at(-1)}>`);
  #server: BridgeServer | undefined;

  /** Listens, and tells the database where if one is given. */
  async listen({
    host = '127.0.0.1',
    port = 0,
    announceTo,
  }: {
    host?: string;
    port?: number;
    announceTo?: Queryable;
  } = {}): Promise<void> {
    this.#server = new BridgeServer({
      host,
      port,
      secret: 'secret',
      certificate: await createCertificate(),
      converse: () => ({
        admit: checkSize,
        answer: (request) => {
          if (/^a/i.test(request)) readInputs(request.split('\x1f').slice(5).join('\x1f'));
          const fields = request.split('\x1f');
          this.requests.push(fields);
          return this.answer(fields);
        },
        cancel: () => undefined,
        close: () => undefined,
      }),
      isIdle: () => true,
      logger: silentLogger,
    });
    await this.#server.start();
    if (announceTo !== undefined) {
      await announceTo.query(`select rafiki._connect_bridge($1, $2, 'secret')`, [host, this.port]);
      await announceTo.query(`update rafiki.bridge_address set seen_at = now() + interval '1 h'`); // it sends no heartbeats
    }
  }

  get port(): number {
    return this.#server?.address().port ?? 0;
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
  }
}
