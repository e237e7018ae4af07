import type { EnsembleRule } from '../domain/ensembles/rule.ts';
import type { Metric } from '../domain/metrics.ts';
import type { Precision } from '../domain/precision.ts';
import type { InputColumn } from '../domain/table.ts';
import type { Task } from '../domain/task.ts';
import type { TrainedModel } from '../domain/training.ts';
import type { ErrorReport } from '../errors/rafiki-error.ts';

/** An order to check the file of an import. */
export interface CheckOrder {
  file: string;
  task: Task;
  spec: Readonly<Record<string, unknown>>;
}

export type CheckReport = { ok: true; found: CheckedImport } | { ok: false; error: ErrorReport };

/** What a file that was checked becomes: the members of a version. */
export interface CheckedImport {
  rule: EnsembleRule;
  classes: string[];
  /** On the validation rows of the study that made it; null if no study of ours did. */
  score: number | null;
  accuracies: readonly number[] | null;
  metric: Metric | null;
  /** What it reads, if it reads columns. */
  columns: InputColumn[] | null;
  members: ImportedMember[];
}

export interface ImportedMember {
  family: string;
  precision: Precision;
  score: number | null;
  weight: number;
  temperature: number;
  variantOf: number | null;
  model: TrainedModel;
  /** The pretrained encoder that it stands on. */
  encoder?: TrainedModel;
}
