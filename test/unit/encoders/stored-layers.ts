import * as tf from '@tensorflow/tfjs-core';
import type * as layers from '@tensorflow/tfjs-layers';
import { createRng } from '../../../src/runtime/rng.ts';

const rng = createRng(12);
const floats = (size: number): Float32Array => Float32Array.from({ length: size }, () => rng.normal());

interface Stored {
  json: Record<string, unknown>;
  bytes: Uint8Array;
}

/** A model as TensorFlow.js writes it into files, its weights at random. */
export async function stored(model: layers.LayersModel): Promise<Stored> {
  model.setWeights(
    model.getWeights().map((weight, i) => {
      const values = floats(weight.size);
      const isVariance = model.weights[i]?.name.includes('variance');
      return tf.tensor(isVariance ? values.map((x) => Math.abs(x) + 0.1) : values, weight.shape);
    }),
  );
  let artifacts: tf.io.ModelArtifacts | undefined;
  await model.save({
    save: async (given) => {
      artifacts = given;
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
    },
  });
  return {
    json: {
      modelTopology: artifacts?.modelTopology,
      weightsManifest: [{ paths: ['w'], weights: artifacts?.weightSpecs }],
    },
    bytes: new Uint8Array(artifacts?.weightData as ArrayBuffer),
  };
}
