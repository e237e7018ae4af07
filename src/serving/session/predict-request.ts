import type { InputKind } from '../../domain/task.ts';
import { DeadlineMissed, InvalidParameter } from '../../errors/errors.ts';
import type { ServedModel } from '../served-model.ts';

/** What happens to an answer that comes later than the budget: it counts as overdue in any case. */
export type OnOverdue = 'answer' | 'error' | 'null';

export interface Terms {
  /** Null takes the model's budget, or 50 ms where it has none. */
  budgetMs: number | null;
  onOverdue: OnOverdue;
}

/** What is asked of which model: the caller's word for what the inputs are. */
export interface Asking {
  key: string;
  input: InputKind;
  /** Who asks, as the database says: each role has its turns. */
  role: string;
}

export interface PredictRequest extends Asking {
  /** An image is given in base64. */
  text: string;
}

/** When an answer is late: the terms of a call that has begun. */
export interface Deadline {
  budgetMs: number;
  startedMs: number;
  onOverdue: OnOverdue;
}

/** Refuses a text where the model reads images, and the reverse. */
export function checkInput({ row, input }: ServedModel, asking: Asking): void {
  if (input === asking.input) return;
  const [fault, hint] =
    input === 'image'
      ? [
          'reads images and was given a text',
          "Give the bytes of an image file: a bytea column, input::bytea, or decode(input, 'base64') where the text is base64. A path is not opened: whoever calls reads the file.",
        ]
      : [
          'reads texts and was given an image',
          'Give a text, or name a model whose task in rafiki.models is one of images.',
        ];
  throw new InvalidParameter(`model "${row.model}" ${fault}`, { detail: `Its task is ${row.task}.`, hint });
}

export const overdueError = (budgetMs: number): DeadlineMissed =>
  new DeadlineMissed('the prediction is overdue', {
    detail: `it was not there after ${budgetMs} ms`,
    hint: `Raise rafiki.latency_budget, or take late answers: set rafiki.on_overdue = 'answer'.`,
  });
