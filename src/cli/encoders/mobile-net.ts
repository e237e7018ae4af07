import path from 'node:path';
import { convertGraph } from '../../encoders/tfjs/convert-graph.ts';
import { readGraphModel, weightFiles } from '../../encoders/tfjs/model-json.ts';
import { BadData } from '../../errors/errors.ts';
import { preprocessingState } from '../../features/pretrained/preprocessing.ts';
import { joined, readBounded } from './bounded-read.ts';
import { bundledData } from './bundled-data.ts';
import type { PackageForm } from './encoder-source.ts';

/** Of the package's three networks the one with the best features: 1.4 times as wide as the plain one, see decision 42. */
const folderOfModel = 'dist/models/mobilenet_v2_mid';

/**
 * Layers whose channels make the vector. The package has trained the last ones for what it detects, so that they tell other things apart worse than
 * those in the middle.
 */
const blocks = [5, 8, 11];

/** The package's own side is 224; small pictures are told apart as well with fewer pixels, in a fraction of the time. */
const SIDE = 96;

/** MobileNetV2 of the package nsfwjs: a graph model of TensorFlow.js in scripts, its weights in 8 bits. */
export const mobileNet: PackageForm = {
  input: 'image',
  marks: [`${folderOfModel}/model.min.js`],
  async read(folder, { side = SIDE }) {
    const read = async (name: string): Promise<unknown> => {
      const file = path.join(folder, folderOfModel, `${name}.min.js`);
      return bundledData((await readBounded(file)).toString('utf8'), file);
    };
    const json = await read('model');
    const weights = await joined(weightFiles(json), async (name) => {
      const text = await read(name);
      if (typeof text === 'string') return Buffer.from(text, 'base64');
      throw otherVersion(`The weights ${name} are no text.`);
    });
    const graph = readGraphModel(json, weights);
    const vectorsOf = blocks.map((block) => {
      const node = graph.nodes.find(({ name }) => name.endsWith(`/expanded_conv_${block}/depthwise/depthwise`));
      if (node === undefined) throw otherVersion(`It has no block ${block}.`);
      return node.name;
    });
    return {
      onnx: convertGraph(graph, { vectorsOf }),
      features: {
        encoder: 'preprocessed',
        // the package divides by 255, and stretches images to a square
        state: preprocessingState({
          resize: { kind: 'stretched', width: side, height: side },
          crop: null,
          resampling: 'linear',
          scale: [1 / 255, 1 / 255, 1 / 255],
          offset: [0, 0, 0],
          input: 'input',
        }),
        classes: [],
      },
    };
  },
};

const otherVersion = (detail: string): BadData =>
  new BadData('the MobileNetV2 of the package is another one than is known', {
    detail,
    hint: 'Give the known version: --npm nsfwjs@4.3.0.',
  });
