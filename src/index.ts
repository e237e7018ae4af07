/**
 * The exports of the package `rafiki`; everything else may change with any version. Models are trained and used in SQL (docs/api.md);
 * these functions start the processes, install the SQL side and train a trial without a database, and the lists name what there is.
 */
export type { Advisor } from './advisors/advisor.ts';
export { advisors } from './advisors/registry.ts';
export { installInto, type RafikiOptions, type StartedRafiki, up } from './cli/library.ts';
export type { Knobs } from './domain/hyper-space.ts';
export { type DataSet, type Task, tasks } from './domain/task.ts';
export type { TrainedModel, TrainingHooks, TrainingResult, TrainingSpec } from './domain/training.ts';
export { RafikiError } from './errors/rafiki-error.ts';
export type { Family, LearnerFamily, NetworkFamily } from './models/family.ts';
export { families } from './models/registry.ts';
export { version } from './runtime/version.ts';
export type { Policy, PolicyOptions } from './serving/policies/policy.ts';
export { policies } from './serving/policies/registry.ts';
export { trainTrial } from './training/train.ts';
