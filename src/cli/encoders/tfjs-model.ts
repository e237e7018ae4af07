import path from 'node:path';
import { convertGraph, type GraphCut } from '../../encoders/tfjs/convert-graph.ts';
import { convertLayers } from '../../encoders/tfjs/convert-layers.ts';
import { isLayersModel, readLayersModel } from '../../encoders/tfjs/layers-json.ts';
import { readGraphModel, weightFiles } from '../../encoders/tfjs/model-json.ts';
import { joined, MAX_JSON_BYTES, readBounded, readJson } from './bounded-read.ts';

/** A graph model or a layers model of TensorFlow.js, or a part of it, as an ONNX file; its weights are in other files of its folder. */
export async function convertedModel(file: string, cut: GraphCut = {}): Promise<Uint8Array> {
  const json = await readJson(file, MAX_JSON_BYTES);
  const read = (name: string): Promise<Buffer> => readBounded(path.join(path.dirname(file), name));
  const weights = await joined(weightFiles(json), read);
  return isLayersModel(json)
    ? convertLayers(readLayersModel(json, weights), cut)
    : convertGraph(readGraphModel(json, weights), cut);
}
