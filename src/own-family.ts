/**
 * The exports of `rafiki/families`: what a model family outside of this package is made of. docs/howto/own-family.md has an example. They are apart from
 * `rafiki`, because a training process loads them, which has no database.
 */
export { HyperSpace, type Knobs } from './domain/hyper-space.ts';
export type { DataSet, Examples, RawInput, Task } from './domain/task.ts';
export type { TensorData } from './domain/tensor.ts';
export type { FittedFeatures, TrainedModel, TrainingSpec } from './domain/training.ts';
export { characterRows, fitCharacters } from './features/characters.ts';
export { fitPlain } from './features/columns/plain.ts';
export { denseColumns, fitDense } from './features/dense.ts';
export { filesOf, textsOf } from './features/encoder.ts';
export { fitNgrams, tableRows } from './features/ngrams.ts';
export { fitPixels } from './features/pixels.ts';
export { createEncoder } from './features/registry.ts';
export { fitSubwords, subwordRows } from './features/subwords.ts';
export { exportModel } from './graph/inference-graph.ts';
export { ops } from './graph/ops/registry.ts';
export { answering, answersOf, answerWidth, fitAnswers } from './models/answering.ts';
export type { Family, LearnerFamily, NetworkFamily } from './models/family.ts';
export { choiceKnob, countKnob, numberKnob, regularisationKnobs, trainingKnobs } from './models/knobs.ts';
export type { Learner } from './models/learner.ts';
