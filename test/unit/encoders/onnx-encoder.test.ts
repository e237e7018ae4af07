import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { onnxEncoder } from '../../../src/cli/encoders/onnx-encoder.ts';
import { Embedder } from '../../../src/encoders/embedder.ts';
import type { Pooling } from '../../../src/encoders/pooling.ts';
import { Graph } from '../../../src/graph/graph.ts';
import { encodeModel } from '../../../src/graph/onnx.ts';
import { wordPieces } from './word-pieces.ts';

const width = 3;
/** The vector of an id is (id, id², 1). */
const vectorOf = (id: number): number[] => [id, id * id, 1];

/** As exports are: ids and a mask → last_hidden_state [N, T, width]. */
function exported({ domain = '', op = 'Identity', further = false } = {}): Uint8Array {
  const g = new Graph('export');
  const ids = g.input('input_ids', ['N', 'T'], 'int64');
  g.input('attention_mask', ['N', 'T'], 'int64');
  const table = g.constant(
    Float32Array.from({ length: 20 * width }, (_, i) => vectorOf(Math.floor(i / width))[i % width] ?? 0),
    [20, width],
  );
  const hidden = g.node('Gather', [table, ids], ['N', 'T', width], { attributes: { axis: 0 } });
  const kept = g.node(op, [hidden], hidden.shape, { domain });
  g.output(kept, further ? 'one' : 'last_hidden_state');
  if (further) g.output(hidden, 'other');
  return encodeModel(g);
}

let dir: string;
const file = async (name: string, data: Uint8Array | string): Promise<string> => {
  const at = path.join(dir, name);
  await writeFile(at, data);
  return at;
};
const read = async (onnx: Uint8Array | string, tokenizer: string = JSON.stringify(wordPieces), pooling?: Pooling) =>
  onnxEncoder({ onnx: await file('model.onnx', onnx), tokenizer: await file('tokenizer.json', tokenizer), pooling });

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'rafiki-onnx-encoder-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

it.each([
  ['mean', [2, 4, 5, 6, 3]],
  ['cls', [2]],
] as const)(
  'the vector of a text with %s pooling is that of its tokens, whatever shares the batch',
  async (pooling, ids) => {
    const { model } = await read(exported(), undefined, pooling);
    const embedder = await Embedder.load(model, { threads: 1 });
    const vectors = await embedder.embed(['the plot, the cast; the end, the film, the plot', 'A great film']);
    const mean = vectorOf(0).map((_, i) => ids.reduce((sum, id) => sum + (vectorOf(id)[i] ?? 0), 0) / ids.length);
    const found = Array.from(vectors?.subarray(width, 2 * width) ?? []);
    for (const [i, value] of found.entries()) expect(value).toBeCloseTo(mean[i] ?? 0, 4);
    await embedder.release();
  },
);

it('refuses files that are none, cut off, without an end, with operators of others, or with two outputs', async () => {
  await expect(read('no ONNX')).rejects.toMatchObject({ sqlstate: '22000' });
  await expect(read('')).rejects.toMatchObject({ sqlstate: '22000' });
  const whole = exported();
  await expect(read(whole.subarray(0, whole.length - 7))).rejects.toMatchObject({ sqlstate: '22000' });
  await expect(read(exported({ domain: 'evil.example', op: 'Run' }))).rejects.toMatchObject({ sqlstate: '0A000' });
  await expect(read(exported({ op: 'Loop' }))).rejects.toMatchObject({ sqlstate: '0A000' });
  await expect(read(exported({ further: true }))).rejects.toMatchObject({ sqlstate: '22000' });
  await expect(read(whole, '{"no": ')).rejects.toMatchObject({ sqlstate: '22000' });
  await expect(onnxEncoder({ onnx: path.join(dir, 'missing'), tokenizer: dir })).rejects.toMatchObject({
    sqlstate: '42704',
  });
});

const whole = (): Uint8Array => exported();

it.each(['{}', '[]', '1', 'null', '{"model": {"type": "Other"}}', '{"added_tokens_decoder": {}}'])(
  'refuses the tokenizer %s, and names the file',
  async (tokenizer) => {
    await expect(read(whole(), tokenizer)).rejects.toMatchObject({
      message: 'tokenizer.json is no tokenizer of Hugging Face',
      hint: expect.stringContaining('tokenizer_config.json'),
    });
  },
);
