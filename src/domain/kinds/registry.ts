import type { Task } from '../task.ts';
import { classification } from './classification.ts';
import { detection } from './detection.ts';
import type { TaskKind } from './kind.ts';

const kinds: Readonly<Record<Task, TaskKind>> = {
  sentiment: classification,
  text_classification: classification,
  image_classification: classification,
  object_detection: detection,
};

export const kindOf = (task: Task): TaskKind => kinds[task];
