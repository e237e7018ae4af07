export interface Schedule {
  peak: number;
  /** Steps of the whole training. */
  total: number;
}

/** Share of training in which the rate climbs. */
const warmUp = 0.05;

/** Learning rate at 0-based `step`: linearly up to the peak, then linearly down to zero. */
export function rateAt(step: number, { peak, total }: Schedule): number {
  const climb = Math.max(1, Math.floor(total * warmUp));
  if (step < climb) return (peak * (step + 1)) / climb;
  return peak * Math.max(0, (total - step) / Math.max(1, total - climb));
}
