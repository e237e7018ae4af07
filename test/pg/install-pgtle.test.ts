import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { extensionDir } from '../../src/cli/install/script-parts.ts';
import { version } from '../../src/runtime/version.ts';
import { createTestDatabase } from '../support/postgres.ts';

/**
 * pg_tle itself is in no package that is at hand: here stands a function of its signature (docs/03_managing_extensions.md of pg_tle,
 * 1.5), which keeps what it is given. So what is shown is that the call fits, and that the script comes through its quotes whole.
 */
const keeping = `
  create schema pgtle;
  create table pgtle.kept (name text, version text, description text, ext text, requires text[]);
  create function pgtle.install_extension(name text, version text, description text, ext text, requires text[] default null)
    returns boolean language sql as $$ insert into pgtle.kept values ($1, $2, $3, $4, $5) returning true $$`;

test('pg_tle gets the whole script, which installs', async () => {
  const database = await createTestDatabase('template0');
  try {
    await database.db.query(keeping);
    await database.db.transaction((tx) => tx.query(readFileSync(path.join(extensionDir, 'rafiki--pgtle.sql'), 'utf8')));
    const kept = await database.db.query<{ ext: string }>('select * from pgtle.kept');
    const script = readFileSync(path.join(extensionDir, 'extension', `rafiki--${version}.sql`), 'utf8');
    expect(kept).toEqual([
      {
        name: 'rafiki',
        version,
        description: expect.stringContaining('machine learning'),
        ext: `\n${script}`,
        requires: ['dblink'],
      },
    ]);
    await database.db.transaction((tx) => tx.query(kept[0]?.ext ?? ''));
    expect(await database.db.query('select name from rafiki.migration limit 1')).toHaveLength(1);
  } finally {
    await database.drop();
  }
});
