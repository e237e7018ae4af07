import type { DeploymentRow } from '../../db/statements/serving/deployments.ts';
import type { Finding } from '../../domain/kinds/kind.ts';
import { inputOf, outputOf } from '../../domain/task.ts';
import { InvalidParameter, InvalidState } from '../../errors/errors.ts';
import { patchesOf } from '../../explain/patches.ts';
import { wordGroups } from '../../explain/words.ts';
import { unpackExplanation } from './explanation-order.ts';

/** What `rafiki_explain_detail` shows: contributions and base add up to the score. */
export interface Explanation {
  /** The class whose log odds the score is; null: it is a number. */
  class: string | null;
  score: number;
  base: number;
  /** The largest first. */
  contributions: Contribution[];
}

/** Of a column, whose value the database knows; of some words; or of a patch of an image, in pixels. */
interface Contribution {
  feature: string;
  value?: string;
  contribution: number;
  x?: number;
  y?: number;
  w?: number;
  h?: number;
}

type ExplainedModel = Pick<DeploymentRow, 'model' | 'task' | 'classes' | 'columns'>;

/** The number of the class to be explained; −1 is the predicted one, or a number. Throws {@link InvalidParameter}. */
export function explainedClass({ model, task, classes }: ExplainedModel, name: string | null): number {
  const output = outputOf(task);
  if (output === 'boxes') {
    throw new InvalidParameter(`model "${model}" finds objects, which are not explained`, {
      detail: `Its task is ${task}.`,
      hint: 'Explain a model that answers with a class or a number.',
    });
  }
  if (name === null) return -1;
  if (output === 'number') {
    throw new InvalidParameter(`model "${model}" predicts numbers, not classes`, {
      detail: `Its task is ${task}.`,
      hint: 'Leave class out.',
    });
  }
  const about = classes.indexOf(name);
  if (about >= 0) return about;
  throw new InvalidParameter(`model "${model}" has no class "${shortened(name)}"`, {
    detail: `It has ${classes.slice(0, MAX_NAMED).map(shortened).join(', ')}${classes.length > MAX_NAMED ? ` and ${classes.length - MAX_NAMED} more` : ''}.`,
    hint: 'Leave class out for the predicted one.',
  });
}

const MAX_NAMED = 20;
const MAX_CHARS = 60;
const shortened = (text: string): string => (text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS - 1)}…` : text);

/** An explanation by name, from a finding of its queue. */
export function explanationOf(
  { task, classes, columns }: ExplainedModel,
  input: string,
  finding: Finding,
): Explanation {
  const { about, score, base, added, size } = unpackExplanation(finding['explanation']);
  const parts =
    inputOf(task) === 'columns'
      ? (columns ?? []).map((feature) => ({ feature }))
      : inputOf(task) === 'text'
        ? words(input)
        : patches(size);
  if (parts.length !== added.length) throw new InvalidState('an explanation is of other parts than its input');
  const round = rounding(
    added.reduce((most, part) => Math.max(most, Math.abs(part)), Math.max(Math.abs(score), Math.abs(base))),
  );
  return {
    class: about < 0 ? null : (classes[about] ?? null),
    score: round(score),
    base: round(base),
    contributions: parts
      .map((part, i) => ({ ...part, contribution: round(added[i] as number) }))
      .sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution)),
  };
}

/** To the digits that single precision has for the largest of some numbers. */
function rounding(largest: number): (value: number) => number {
  const digits = Math.max(0, Math.min(12, 6 - Math.floor(Math.log10(Math.max(largest, Number.MIN_VALUE)))));
  return (value) => Number(value.toFixed(digits));
}

const words = (text: string): Omit<Contribution, 'contribution'>[] =>
  wordGroups(text).map(({ first, last, text: value }) => ({
    feature: first === last ? `word ${first}` : `words ${first} to ${last}`,
    value,
  }));

const patches = (size: { width: number; height: number }): Omit<Contribution, 'contribution'>[] =>
  patchesOf(size).map(({ x, y, w, h }, i) => ({
    feature: `patch ${i + 1}`,
    value: `${w} × ${h} at ${x}, ${y}`,
    ...{ x, y, w, h },
  }));
