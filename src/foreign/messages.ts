import type { EnsembleRule } from '../domain/ensembles/rule.ts';
import type { Precision } from '../domain/precision.ts';
import type { InputColumn } from '../domain/table.ts';
import type { Task } from '../domain/task.ts';
import type { TrainedModel } from '../domain/training.ts';
import type { ErrorReport } from '../errors/rafiki-error.ts';

/** An order to check the file of an import. */
export interface CheckOrder {
  file: string;
  task: Task;
  /** JSON of an object: it is read in the process, where it can do no harm. */
  spec: string;
}

export type CheckReport = { ok: true; found: CheckedImport } | { ok: false; error: ErrorReport };

/** What a file that was checked becomes: the members of a version. It has no score: nobody here has measured one. */
export interface CheckedImport {
  rule: EnsembleRule;
  classes: string[];
  /** Of each subset of members, for the choice of those that answer; null if no study of ours made it. */
  accuracies: readonly number[] | null;
  /** What it reads, if it reads columns. */
  columns: InputColumn[] | null;
  members: ImportedMember[];
}

export interface ImportedMember {
  family: string;
  precision: Precision;
  weight: number;
  temperature: number;
  variantOf: number | null;
  model: TrainedModel;
  /** The pretrained encoder that it stands on, which is no part of the file. */
  encoder?: NamedEncoder;
}

/** A pretrained encoder of some database, by its content. */
export interface NamedEncoder {
  /** Its name there; null if it was removed. */
  name: string | null;
  /** SHA-256 in hex, see `rafiki._params_hash`. */
  hash: string;
}
