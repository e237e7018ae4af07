/** How the learning rate changes from its peak, after the warm-up, to the end of training. Plain data, part of a recipe. */
export type Schedule = (
  | { kind: 'constant' }
  /** Multiplied by `factor` at each of `at`, shares of training. */
  | { kind: 'step'; at: readonly number[]; factor: number }
  /** Half a cosine down to `minimum`, a share of the peak; 0 if not given (Loshchilov and Hutter 2017). */
  | { kind: 'cosine'; minimum?: number }
  /** Linearly to zero. */
  | { kind: 'linear' }
) & {
  /** Share of training in which the rate rises linearly to its peak (Goyal et al. 2017); 0 if not given. */
  warmUp?: number;
};

/** For recipes without a schedule. */
const defaultSchedule: Schedule = { kind: 'linear', warmUp: 0.05 };

export interface Rate {
  peak: number;
  /** Steps of the whole training. */
  total: number;
  schedule?: Schedule | undefined;
}

/** Learning rate at 0-based `step`. */
export function rateAt(step: number, { peak, total, schedule = defaultSchedule }: Rate): number {
  const warmUpSteps = schedule.warmUp === undefined ? 0 : Math.max(1, Math.floor(total * schedule.warmUp));
  if (step < warmUpSteps) return (peak * (step + 1)) / warmUpSteps;
  return (
    peak *
    shareAt(schedule, {
      share: step / total,
      shareAfterWarmUp: (step - warmUpSteps) / Math.max(1, total - warmUpSteps),
    })
  );
}

/** The share of the peak, from the completed share of training and of the part after the warm-up. */
function shareAt(schedule: Schedule, { share, shareAfterWarmUp }: { share: number; shareAfterWarmUp: number }): number {
  const left = Math.max(0, 1 - shareAfterWarmUp);
  switch (schedule.kind) {
    case 'constant':
      return 1;
    case 'step':
      return schedule.factor ** schedule.at.filter((at) => share >= at).length;
    case 'cosine': {
      const { minimum = 0 } = schedule;
      return minimum + ((1 - minimum) * (1 - Math.cos(Math.PI * left))) / 2;
    }
    case 'linear':
      return left;
  }
}
