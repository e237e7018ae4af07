import path from 'node:path';
import { convertGraph, type GraphCut } from '../../encoders/tfjs/convert-graph.ts';
import { readGraphModel, weightFiles } from '../../encoders/tfjs/model-json.ts';
import { joined, MAX_JSON_BYTES, readBounded, readJson } from './bounded-read.ts';

/** A graph model of TensorFlow.js as an ONNX file; its weights are in other files of its folder. */
export async function convertedGraph(file: string, cut: GraphCut = {}): Promise<Uint8Array> {
  const json = await readJson(file, MAX_JSON_BYTES);
  const weights = await joined(weightFiles(json), (name) => readBounded(path.join(path.dirname(file), name)));
  return convertGraph(readGraphModel(json, weights), cut);
}
