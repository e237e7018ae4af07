// drizzle on node-pg: sql`…`, which spreads a list into one parameter for each element; sql.param() keeps it one.
import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { serve, versionOf } from './protocol.mjs';

await serve(async (url) => {
  const db = drizzle(url);
  const statement = (text, values) =>
    sql.join(
      text
        .split(/(\$\d+)/)
        .map((part) => (/^\$\d+$/.test(part) ? sql`${sql.param(values[part.slice(1) - 1])}` : sql.raw(part))),
    );
  return {
    version: versionOf('drizzle-orm'),
    run: async (text, values) => Object.values((await db.execute(statement(text, values))).rows[0])[0],
  };
});
