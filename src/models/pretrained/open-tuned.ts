import { createHash } from 'node:crypto';
import type { PretrainedParts, TrainingSpec } from '../../domain/training.ts';
import { embedData } from '../../encoders/embedded-data.ts';
import { importEncoderFile } from '../../encoders/tuned/import-encoder.ts';
import { type LinearLayer, linearStart } from '../../encoders/tuned/linear-start.ts';
import { type Answers, answersOf, answerWidth, fitAnswers } from '../answering.ts';
import type { PretrainedBody } from '../family.ts';
import { headTargets } from './head-targets.ts';

interface TunedStart {
  /** Of the penalty of the head that its network starts with. */
  l2: number;
  /** Whether all weights are replaced before a step. */
  replaced: boolean;
}

/** Reads the encoder, and finds the head that its network starts with: on vectors of the training rows, which the worker's cache keeps. */
export async function openTuned(
  spec: TrainingSpec,
  pretrained: PretrainedParts,
  { l2, replaced }: TunedStart,
): Promise<PretrainedBody> {
  const { data, fitTo = data.train } = spec;
  const encoder = await importEncoderFile(pretrained.file);
  const fitted = fitAnswers({ ...fitTo, classes: data.classes });
  // other classes, or numbers of another scale, need other weights, even where they are as many
  const print = createHash('sha256').update(JSON.stringify(fitted)).digest('hex').slice(0, 16);
  const from = `encoder ${pretrained.paramsId}`;
  const answers = answersOf({ encoder: '', state: {}, ...fitted });
  const { width } = encoder;
  const head = replaced ? zeros(width, answers) : await bestHead(spec, pretrained, { l2, width, answers });
  return { encoder, from, head, headFrom: `${from} head of ${print}` };
}

const zeros = (width: number, answers: Answers): LinearLayer => ({
  w: new Float32Array(width * answerWidth(answers)),
  b: new Float32Array(answerWidth(answers)),
});

async function bestHead(
  { data, balanced = false, seed, threads }: TrainingSpec,
  { file, cacheDir }: PretrainedParts,
  { l2, width, answers }: { l2: number; width: number; answers: Answers },
): Promise<LinearLayer> {
  const { inputs, labels } = data.train;
  // with the validation rows, as for a head on frozen vectors: the cache then has them
  const vectors = await embedData([...inputs, ...data.valid.inputs], { file, cacheDir, threads });
  const trained = vectors.subarray(0, inputs.length * width);
  return linearStart({
    ...{ vectors: { data: trained, rows: inputs.length, width }, l2, seed, threads },
    ...{ outputs: answerWidth(answers), unit: answers.target },
    ...headTargets(labels, answers, { balanced }),
  });
}
