import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { EnvironmentUnfit } from '../../errors/errors.ts';

/** The folder for `extension_control_path`, built by `npm run build`. */
export const extensionDir = path.resolve(import.meta.dirname, '../../../dist/extension');

/** The parts of the script that `scripts/build-sql.mjs` writes. */
export interface ScriptParts {
  /** Identifies the replaceable part. */
  build: string;
  prologue: string;
  /** Makes the role a member of rafiki_owner until the end of the script, if it may. */
  joining: string;
  incremental: { name: string; text: string }[];
  idempotent: string;
}

export function readParts(): ScriptParts {
  const file = path.join(extensionDir, 'parts.json');
  if (!existsSync(file)) throw new EnvironmentUnfit(`there is no ${file}`, { hint: 'Run npm run build.' });
  return JSON.parse(readFileSync(file, 'utf8')) as ScriptParts;
}
