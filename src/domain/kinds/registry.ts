import { type OutputKind, outputOf, type Task } from '../task.ts';
import { classification } from './classification.ts';
import { detection } from './detection.ts';
import type { TaskKind } from './kind.ts';

const kinds: Readonly<Record<OutputKind, TaskKind>> = { label: classification, boxes: detection };

export const kindOf = (task: Task): TaskKind => kinds[outputOf(task)];
