import path from 'node:path';
import { convertLayers } from '../../encoders/tfjs/convert-layers.ts';
import { readLayersModel } from '../../encoders/tfjs/layers-json.ts';
import { weightFiles } from '../../encoders/tfjs/model-json.ts';
import { BadData } from '../../errors/errors.ts';
import { preprocessingState } from '../../features/pretrained/preprocessing.ts';
import { joined, readBounded } from './bounded-read.ts';
import { bundledData } from './bundled-data.ts';
import type { PackageForm } from './encoder-source.ts';

const folderOfModel = 'dist/models/mobilenet_v2';

/** The last layer before what the package was trained for: 1280 channels, with ReLU. */
const LAST_LAYER = 'out_relu';

/** The package's own side is 224; its features of small pictures are nearly as good with fewer pixels, see decision 42. */
const SIDE = 128;

/** MobileNetV2 of the package nsfwjs: a layers model of TensorFlow.js in scripts, its weights in 8 bits. */
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
      throw new BadData(`the weights ${name} are no text`, { hint: 'They are of another version: give nsfwjs@4.3.0.' });
    });
    return {
      onnx: convertLayers(readLayersModel(json, weights), { until: LAST_LAYER, averaged: true, channelsFirst: true }),
      features: {
        encoder: 'preprocessed',
        // the package divides by 255, and stretches images to a square
        state: preprocessingState({
          resize: { kind: 'stretched', width: side, height: side },
          crop: null,
          resampling: 'linear',
          scale: [1 / 255, 1 / 255, 1 / 255],
          offset: [0, 0, 0],
          input: 'input0',
        }),
        classes: [],
      },
    };
  },
};
