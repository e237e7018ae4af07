import { loadFamilies } from '../../../src/families/sources.ts';
import { addFamilies } from '../../../src/models/registry.ts';
import { trainTrial } from '../../../src/training/train.ts';

// Trains the first family of the module that is its argument, as a training process does, and prints its name and score.

const [, , file = ''] = process.argv;
const families = await loadFamilies([{ kind: 'module', file }]);
addFamilies(families);
const inputs = Array.from({ length: 60 }, (_, i) => `the ${i % 2 ? 'good' : 'bad'} film number${i}`);
const examples = { inputs, labels: Int32Array.from(inputs, (_, i) => i % 2) };
const data = { classes: ['bad', 'good'], train: examples, valid: examples };
const family = families[0]?.name ?? '';
const { score } = await trainTrial(
  { task: 'text_classification', family, knobs: {}, seed: 1, threads: 1, data },
  { onReport: async () => 'continue', onCheckpoint: async () => undefined },
);
process.stdout.write(JSON.stringify({ family, score }));
