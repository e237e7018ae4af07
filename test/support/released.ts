import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { from } from 'pg-copy-streams';
import type { Database } from '../../src/db/database.ts';

type Left = 'as-script' | 'as-extension' | 'rafiki--0.1.0';

/** What version 0.1.0 left: its install script, and plain dumps of databases that it made, with a trained model. */
export const released = (name: Left): string =>
  gunzipSync(readFileSync(new URL(`../upgrade/0.1.0/${name}.sql.gz`, import.meta.url))).toString();

/** Runs a dump as psql would; what begins with a backslash is psql's. */
export async function restore(db: Database, dump: string): Promise<void> {
  const session = await db.connect(() => undefined);
  const [first = '', ...rest] = dump.split(/^(COPY .+ FROM stdin;)\n([\s\S]*?)^\\\.$/m);
  const run = (sql: string): Promise<unknown> => session.query(sql.replaceAll(/^\\.*$/gm, ''));
  try {
    await run(first);
    for (let i = 0; i < rest.length; i += 3) {
      const [copy = '', rows = '', sql = ''] = rest.slice(i, i + 3);
      await new Promise<void>((resolve, reject) => {
        session.client.query(from(copy)).once('finish', resolve).once('error', reject).end(rows);
      });
      await run(sql);
    }
  } finally {
    await session.close();
  }
}
