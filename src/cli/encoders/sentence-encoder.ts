import path from 'node:path';
import { BadData } from '../../errors/errors.ts';
import { MAX_JSON_BYTES, readJson } from './bounded-read.ts';
import type { PackageForm } from './encoder-source.ts';
import { convertedModel } from './tfjs-model.ts';

/** Tokens that the Universal Sentence Encoder Lite reads of a text, by a constant of its graph. */
const MAX_PIECES = 128;
/** Pieces of its vocabulary that mark texts. */
const RESERVED_PIECES = 6;

/** A graph model of TensorFlow.js with a vocabulary of pieces: the Universal Sentence Encoder Lite. */
export const sentenceEncoder: PackageForm = {
  input: 'text',
  marks: ['dist/model.json', 'dist/vocab.json'],
  async read(folder) {
    const dist = path.join(folder, 'dist');
    const pieces = piecesOf(await readJson(path.join(dist, 'vocab.json'), MAX_JSON_BYTES));
    return {
      onnx: await convertedModel(path.join(dist, 'model.json'), { sparse: { indices: 'indices', values: 'values' } }),
      features: { encoder: 'pieces', state: { pieces, maxTokens: MAX_PIECES, reserved: RESERVED_PIECES }, classes: [] },
    };
  },
};

/** A piece without a score is one that its makers defined: it counts as certain, as in TensorFlow.js. */
function piecesOf(json: unknown): [string, number][] {
  const isPiece = (value: unknown): value is [string, number | null] =>
    Array.isArray(value) && typeof value[0] === 'string' && (typeof value[1] === 'number' || value[1] === null);
  if (Array.isArray(json) && json.every(isPiece)) return json.map(([piece, score]) => [piece, score ?? 0]);
  throw new BadData('the vocabulary is no list of pieces with scores', {
    hint: 'It must be [["piece", -3.2], …], as the Universal Sentence Encoder Lite has it.',
  });
}
