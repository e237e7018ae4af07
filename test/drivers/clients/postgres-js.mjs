// postgres.js: asks PostgreSQL for the types of the parameters, and turns each value into that type: a list that is to be a text
// becomes its elements with commas between them.
import postgres from 'postgres';
import { serve, versionOf } from './protocol.mjs';

await serve(async (url) => {
  const sql = postgres(url, { max: 1 });
  await sql`select 1`;
  return {
    version: versionOf('postgres'),
    run: async (statement, values) => Object.values((await sql.unsafe(statement, values))[0])[0],
  };
});
