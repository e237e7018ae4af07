import { describe, expect, it } from 'vitest';
import { floats } from '../../../src/domain/kinds/kind.ts';
import { answerAll, type EvaluationRows } from '../../../src/engine/evaluate.ts';
import { initialise } from '../../../src/engine/initialise.ts';
import { rangesOf } from '../../../src/engine/ranges.ts';
import type { GraphParts } from '../../../src/graph/graph.ts';
import { inferenceGraph, type Weight } from '../../../src/graph/inference-graph.ts';
import { foldNorms } from '../../../src/graph/int8/fold-norms.ts';
import { calibratedNames, quantise } from '../../../src/graph/int8/quantise.ts';
import type { Network } from '../../../src/graph/network.ts';
import { encodeModel } from '../../../src/graph/onnx.ts';
import { familiesFor } from '../../../src/models/registry.ts';
import { fasttextNetwork } from '../../../src/models/text/fasttext.ts';
import { createRng } from '../../../src/runtime/rng.ts';
import { prepareTrial } from '../../../src/training/trial.ts';
import { pictureSpec, randomPictures } from '../models/pictures.ts';

const threads = 1;

/** Weights as training leaves them: norms that move and scale; `downwards` turns every third channel round. */
function trainedWeights(network: Network, { downwards = false } = {}): Record<string, Weight> {
  const rng = createRng(7);
  const weights: Record<string, Weight> = {};
  for (const [name, spec] of Object.entries(network.parameters)) {
    const data = initialise(spec, rng);
    if (/\.(gamma|variance)$/.test(name)) for (const i of data.keys()) data[i] = 0.5 + rng.uniform();
    if (/\.(beta|mean)$/.test(name)) for (const i of data.keys()) data[i] = rng.normal() / 4;
    if (downwards && name.endsWith('.gamma')) for (let i = 0; i < data.length; i += 3) data[i]! *= -1;
    weights[name] = { shape: spec.shape, data };
  }
  return weights;
}

async function staged(family: string) {
  const { network, valid } = await prepareTrial(pictureSpec(family, {}, await randomPictures(24)));
  return { network, rows: valid };
}

const answersOf = async (graph: GraphParts, rows: EvaluationRows): Promise<Float32Array> =>
  Float32Array.from(floats(await answerAll(encodeModel(graph), rows, threads)));

async function inBytes(graph: GraphParts, rows: EvaluationRows): Promise<GraphParts> {
  const folded = foldNorms(graph);
  return quantise(folded, await rangesOf(folded, calibratedNames(folded), { rows, threads }));
}

const furthest = (a: Float32Array, b: Float32Array): number =>
  a.reduce((max, value, i) => Math.max(max, Math.abs(value - (b[i] as number))), 0);

const count = ({ nodes }: GraphParts, op: string): number => nodes.filter((node) => node.op === op).length;

describe.each(familiesFor('image_classification').map(({ name }) => name))('%s in 8 bits', (name) => {
  it('has its norms in the convolutions, and answers the same', async () => {
    const { network, rows } = await staged(name);
    const graph = inferenceGraph(network, trainedWeights(network));
    const folded = foldNorms(graph);
    expect(count(graph, 'BatchNormalization')).toBeGreaterThan(0);
    expect(count(folded, 'BatchNormalization')).toBe(0);
    expect(furthest(await answersOf(folded, rows), await answersOf(graph, rows))).toBeLessThan(1e-4);
  });

  it('keeps a norm that turns the order of what was pooled', async () => {
    const { network, rows } = await staged(name);
    const graph = inferenceGraph(network, trainedWeights(network, { downwards: true }));
    const folded = foldNorms(graph);
    expect(furthest(await answersOf(folded, rows), await answersOf(graph, rows))).toBeLessThan(1e-4);
    expect(furthest(await answersOf(await inBytes(graph, rows), rows), await answersOf(graph, rows))).toBeLessThan(0.1);
  });

  it('is a third of the size and answers nearly the same', async () => {
    const { network, rows } = await staged(name);
    const graph = inferenceGraph(network, trainedWeights(network));
    const bytes = await inBytes(graph, rows);
    expect(encodeModel(bytes).length).toBeLessThan(0.45 * encodeModel(graph).length);
    const exact = await answersOf(graph, rows);
    expect(furthest(await answersOf(bytes, rows), exact)).toBeLessThan(0.06);
    expect(furthest(exact, new Float32Array(exact.length).fill(1 / 3))).toBeGreaterThan(0.2); // or all would be alike
  });
});

describe('networks without convolutions', () => {
  it('have nothing to hold in bytes', () => {
    const network = fasttextNetwork({ rows: 8, dim: 4, classes: 2 });
    expect(calibratedNames(inferenceGraph(network, trainedWeights(network)))).toEqual([]);
  });
});
