// node-pg: a list goes as the text of an array, a Buffer as bytes; neither has a type.
import pg from 'pg';
import { serve, versionOf } from './protocol.mjs';

await serve(async (url) => {
  const client = new pg.Client(url);
  await client.connect();
  return {
    version: versionOf('pg'),
    run: async (sql, values) => Object.values((await client.query(sql, values)).rows[0])[0],
  };
});
