import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { EnvironmentUnfit } from '../../errors/errors.ts';

/** The folder to put into `extension_control_path`, as built by `npm run build`. */
export const extensionDir = path.resolve(import.meta.dirname, '../../../dist/extension');

/** What `scripts/build-sql.mjs` writes: the script in its parts. */
export interface ScriptParts {
  /** Names what is replaceable. */
  build: string;
  prologue: string;
  /** Makes who may a member of rafiki_owner until the end of the script. */
  joining: string;
  incremental: { name: string; text: string }[];
  idempotent: string;
}

export function readParts(): ScriptParts {
  const file = path.join(extensionDir, 'parts.json');
  if (!existsSync(file)) throw new EnvironmentUnfit(`there is no ${file}`, { hint: 'Run npm run build.' });
  return JSON.parse(readFileSync(file, 'utf8')) as ScriptParts;
}
