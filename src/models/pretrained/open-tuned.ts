import type { PretrainedParts, TrainingSpec } from '../../domain/training.ts';
import { embedData } from '../../encoders/embedded-data.ts';
import { importEncoderFile } from '../../encoders/tuned/import-encoder.ts';
import { linearStart } from '../../encoders/tuned/linear-start.ts';
import { answersOf, answerWidth, fitAnswers } from '../answering.ts';
import type { PretrainedBody } from '../family.ts';
import { headTargets } from './head-targets.ts';

/** Reads the encoder, and finds the head that its network starts with: on vectors of the training rows, which the worker's cache keeps. */
export async function openTuned(
  { data, fitTo = data.train, balanced = false, seed, threads }: TrainingSpec,
  { file, cacheDir, paramsId }: PretrainedParts,
  l2: number,
): Promise<PretrainedBody> {
  const encoder = await importEncoderFile(file);
  const answers = answersOf({ encoder: '', state: {}, ...fitAnswers({ ...fitTo, classes: data.classes }) });
  const { inputs, labels } = data.train;
  // with the validation rows, as for a head on frozen vectors: the cache then has them
  const vectors = await embedData([...inputs, ...data.valid.inputs], { file, cacheDir, threads });
  const { width } = encoder;
  const trained = vectors.subarray(0, inputs.length * width);
  const head = await linearStart({
    ...{ vectors: { data: trained, rows: inputs.length, width }, l2, seed, threads },
    ...{ outputs: answerWidth(answers), unit: answers.target },
    ...headTargets(labels, answers, { balanced }),
  });
  return { encoder, from: `encoder ${paramsId}`, head };
}
