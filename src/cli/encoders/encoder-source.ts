import { existsSync } from 'node:fs';
import path from 'node:path';
import type { TrainedModel } from '../../domain/training.ts';
import { convertGraph } from '../../encoders/tfjs/convert-graph.ts';
import { readGraphModel, weightFiles } from '../../encoders/tfjs/model-json.ts';
import { BadData, DataTooLarge, NotSupported } from '../../errors/errors.ts';
import { sizeText } from '../../runtime/byte-size.ts';
import { MAX_FILE_BYTES, readBounded, readJson } from './bounded-read.ts';

/** An encoder as it was read, before it is stored. */
export interface EncoderSource {
  input: 'text' | 'image';
  model: TrainedModel;
  /** Where it came from, and under which licence. */
  source: string;
  licence: string | null;
}

const MAX_JSON_BYTES = 64 * 2 ** 20;

/** Tokens that the Universal Sentence Encoder Lite reads of a text, by a constant of its graph. */
const MAX_PIECES = 128;
/** Pieces of its vocabulary that mark texts. */
const RESERVED_PIECES = 6;

/** The encoder in the folder of an npm package: a graph model of TensorFlow.js with a vocabulary of pieces. */
export async function packageEncoder(folder: string): Promise<EncoderSource> {
  const about = (await readJson(path.join(folder, 'package.json'), MAX_JSON_BYTES)) as Record<string, unknown>;
  const dist = path.join(folder, 'dist');
  const [model, vocabulary] = [path.join(dist, 'model.json'), path.join(dist, 'vocab.json')];
  if (!existsSync(model) || !existsSync(vocabulary)) {
    throw new NotSupported(`the package ${String(about['name'])} is no known form of encoder`, {
      detail: 'It has no dist/model.json with dist/vocab.json.',
      hint: 'Give the files of its ONNX export: --onnx model.onnx --tokenizer tokenizer.json.',
    });
  }
  const pieces = piecesOf(await readJson(vocabulary, MAX_JSON_BYTES));
  return {
    input: 'text',
    model: {
      onnx: await convertedGraph(model, { sparse: { indices: 'indices', values: 'values' } }),
      features: { encoder: 'pieces', state: { pieces, maxTokens: MAX_PIECES, reserved: RESERVED_PIECES }, classes: [] },
    },
    source: `npm ${String(about['name'])}@${String(about['version'])}`,
    licence: typeof about['license'] === 'string' ? about['license'] : null,
  };
}

/** A graph model of TensorFlow.js as an ONNX file; its weights are in the files beside it. */
export async function convertedGraph(
  file: string,
  options: Parameters<typeof convertGraph>[1] = {},
): Promise<Uint8Array> {
  const json = await readJson(file, MAX_JSON_BYTES);
  const parts: Buffer[] = [];
  let bytes = 0;
  for (const name of weightFiles(json)) {
    const part = await readBounded(path.join(path.dirname(file), name));
    bytes += part.length;
    if (bytes > MAX_FILE_BYTES) throw tooLarge(bytes);
    parts.push(part);
  }
  return convertGraph(readGraphModel(json, Buffer.concat(parts)), options);
}

/** A piece without a score is one that its makers defined: it counts as certain, as in TensorFlow.js. */
function piecesOf(json: unknown): [string, number][] {
  const isPiece = (value: unknown): value is [string, number | null] =>
    Array.isArray(value) && typeof value[0] === 'string' && (typeof value[1] === 'number' || value[1] === null);
  if (Array.isArray(json) && json.every(isPiece)) return json.map(([piece, score]) => [piece, score ?? 0]);
  throw new BadData('the vocabulary is no list of pieces with scores', {
    hint: 'It must be [["piece", -3.2], …], as the Universal Sentence Encoder Lite has it.',
  });
}

const tooLarge = (bytes: number): DataTooLarge =>
  new DataTooLarge('the weights of the encoder are too large', {
    detail: `They have ${sizeText(bytes)} or more; the maximum is ${sizeText(MAX_FILE_BYTES)}.`,
    hint: 'Take a smaller encoder, or one that is quantised.',
  });
