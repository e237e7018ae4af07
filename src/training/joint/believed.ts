import type { ChangeForm, ShareSums, SumsForm, WaitingWorker, WeightChange } from '../../domain/joint-training.ts';

// What the leading worker believes of what others say: their programs may be damaged or of another version, and a foreign file may lie in
// the folder. One number that is none would end a trial that all others train well.

/** Exponent of what is no finite number in half precision. */
const NOT_FINITE = 0x7c00;

/** Why a change does not count; null if it does. `maxSeconds`: nobody has trained for longer in this round. */
export function faultOf(
  { halves, uses, rows, seconds }: WeightChange,
  form: ChangeForm,
  maxSeconds: number,
): string | null {
  if (halves.length !== form.weights) return `${halves.length} weights instead of ${form.weights}`;
  if (uses.length !== form.uses) return `uses of ${uses.length} table rows instead of ${form.uses}`;
  if (!Number.isInteger(rows) || rows < 1 || rows > form.maxRows) return `${rows} rows of at most ${form.maxRows}`;
  if (!Number.isFinite(seconds) || seconds <= 0 || seconds > maxSeconds)
    return `${seconds} seconds of at most ${maxSeconds}`;
  if (!halves.every((half) => (half & NOT_FINITE) !== NOT_FINITE)) return 'weights that are no finite numbers';
  return null;
}

/** The same of what a worker adds to sums. */
export function faultOfSums(
  { sums, rows, seconds }: ShareSums,
  { length, maxRows, maxOfRow, nonNegative }: SumsForm,
): string | null {
  if (sums.length !== length) return `${sums.length} sums instead of ${length}`;
  if (!Number.isInteger(rows) || rows < 1 || rows > maxRows) return `${rows} rows of at most ${maxRows}`;
  if (!Number.isFinite(seconds) || seconds <= 0) return `${seconds} seconds`;
  const most = rows * maxOfRow;
  for (let i = 0; i < length; i++) {
    const sum = sums[i] as number;
    if (!Number.isInteger(sum) || sum > most || sum < -most) return `a sum of ${sum}, of integers up to ${most}`;
  }
  for (let i = nonNegative.from; i < length; i += nonNegative.step)
    if ((sums[i] as number) < 0) return `a negative sum of ${sums[i]}, of what is never negative`;
  return null;
}

/** Whether a worker can wait as it says, if `newest` is the last round there was. */
export const canWait = ({ has, after }: WaitingWorker, newest: number): boolean =>
  Number.isInteger(after) && after >= 0 && after <= newest && (has === null || (Number.isInteger(has) && has <= after));
