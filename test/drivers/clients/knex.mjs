// knex on node-pg: raw() with question marks, into which a list goes as a value.
import knex from 'knex';
import { serve, versionOf } from './protocol.mjs';

await serve(async (url) => {
  const client = knex({ client: 'pg', connection: url });
  return {
    version: versionOf('knex'),
    run: async (sql, values) => Object.values((await client.raw(sql.replaceAll(/\$\d+/g, '?'), values)).rows[0])[0],
  };
});
