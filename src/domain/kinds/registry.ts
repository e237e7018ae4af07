import { type OutputKind, outputOf, type Task } from '../task.ts';
import { classification } from './classification.ts';
import { detection } from './detection.ts';
import type { TaskKind } from './kind.ts';
import { regression } from './regression.ts';

const kinds: Readonly<Record<OutputKind, TaskKind>> = { label: classification, boxes: detection, number: regression };

export const kindOf = (task: Task): TaskKind => kinds[outputOf(task)];
