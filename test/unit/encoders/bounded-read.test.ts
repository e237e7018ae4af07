import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readBounded } from '../../../src/cli/encoders/bounded-read.ts';

let file: string;

beforeAll(async () => {
  file = path.join(await mkdtemp(path.join(tmpdir(), 'rafiki-bounded-')), 'model.onnx');
  await writeFile(file, '');
  await truncate(file, 512 * 2 ** 20); // takes no space
});
afterAll(() => rm(path.dirname(file), { recursive: true }));

it('an encoder that could not be dumped is refused before it is read, with a way out', async () => {
  await expect(readBounded(file)).rejects.toMatchObject({
    sqlstate: '54000',
    detail: 'It has 512 MB; the maximum is 500 MB.',
    hint: expect.stringContaining('model_quantized.onnx'),
  });
});
