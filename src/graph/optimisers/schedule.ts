/** How the learning rate moves between its peak and the end of training, after it has climbed. Plain data, part of a recipe. */
export type Schedule = (
  | { kind: 'constant' }
  /** Times `factor` at each of `at`, shares of training. */
  | { kind: 'step'; at: readonly number[]; factor: number }
  /** Half a cosine down to `floor`, a share of the peak; 0 where not given (Loshchilov and Hutter 2017). */
  | { kind: 'cosine'; floor?: number }
  /** Straight down to zero. */
  | { kind: 'linear' }
) & {
  /** Share of training in which the rate climbs straight to its peak (Goyal et al. 2017); none where not given. */
  warmUp?: number;
};

/** Where a recipe names none. */
const defaultSchedule: Schedule = { kind: 'linear', warmUp: 0.05 };

export interface Rate {
  peak: number;
  /** Steps of the whole training. */
  total: number;
  schedule?: Schedule | undefined;
}

/** Learning rate at 0-based `step`. */
export function rateAt(step: number, { peak, total, schedule = defaultSchedule }: Rate): number {
  const climb = schedule.warmUp === undefined ? 0 : Math.max(1, Math.floor(total * schedule.warmUp));
  if (step < climb) return (peak * (step + 1)) / climb;
  return peak * shareAt(schedule, { share: step / total, sinceClimb: (step - climb) / Math.max(1, total - climb) });
}

/** The share of the peak, from the shares of all training and of what comes after the climb that are over. */
function shareAt(schedule: Schedule, { share, sinceClimb }: { share: number; sinceClimb: number }): number {
  const left = Math.max(0, 1 - sinceClimb);
  switch (schedule.kind) {
    case 'constant':
      return 1;
    case 'step':
      return schedule.factor ** schedule.at.filter((at) => share >= at).length;
    case 'cosine': {
      const { floor = 0 } = schedule;
      return floor + ((1 - floor) * (1 - Math.cos(Math.PI * left))) / 2;
    }
    case 'linear':
      return left;
  }
}
