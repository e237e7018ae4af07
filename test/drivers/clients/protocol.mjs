import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const write = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

/** Of a package of ours; not all of them export their package.json. */
export const versionOf = (name) =>
  JSON.parse(readFileSync(new URL(`../../../node_modules/${name}/package.json`, import.meta.url), 'utf8')).version;

/** Connects with `connect(url)`, which gives `{ version, run(sql, values) }`; then answers one line of JSON with another. */
export async function serve(connect) {
  let client;
  for await (const line of createInterface({ input: process.stdin })) {
    const message = JSON.parse(line);
    if (client === undefined) {
      client = await connect(message.url);
      write({ version: client.version });
      continue;
    }
    const values = message.args.map((arg) =>
      'bytes' in arg ? Buffer.from(arg.bytes, 'base64') : Object.values(arg)[0],
    );
    try {
      write({ value: await client.run(message.sql, values) });
    } catch (error) {
      const { code, message: said, hint } = error.cause ?? error;
      write({ error: { sqlstate: code, message: said, hint } });
    }
  }
  process.exit();
}
