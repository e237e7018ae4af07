import path from 'node:path';
import { convertGraph, type GraphCut } from '../../encoders/tfjs/convert-graph.ts';
import { convertLayers } from '../../encoders/tfjs/convert-layers.ts';
import { isLayersModel, readLayersModel } from '../../encoders/tfjs/layers-json.ts';
import { readGraphModel, weightFiles } from '../../encoders/tfjs/model-json.ts';
import { joined, MAX_JSON_BYTES, readBounded, readJson } from './bounded-read.ts';

/** A graph model of TensorFlow.js as an ONNX file; its weights are in other files of its folder. */
export async function convertedGraph(file: string, cut: GraphCut = {}): Promise<Uint8Array> {
  const { json, weights } = await readTfjs(file);
  return convertGraph(readGraphModel(json, weights), cut);
}

/** A graph model or a layers model as an ONNX file that makes vectors of images; `vectorsOf`: of its nodes or layers, in place of its outputs. */
export async function convertedImageModel(file: string, vectorsOf: readonly string[]): Promise<Uint8Array> {
  const { json, weights } = await readTfjs(file);
  return isLayersModel(json)
    ? convertLayers(readLayersModel(json, weights), { vectorsOf })
    : convertGraph(readGraphModel(json, weights), { vectorsOf });
}

async function readTfjs(file: string): Promise<{ json: unknown; weights: Uint8Array }> {
  const json = await readJson(file, MAX_JSON_BYTES);
  const read = (name: string): Promise<Buffer> => readBounded(path.join(path.dirname(file), name));
  return { json, weights: await joined(weightFiles(json), read) };
}
