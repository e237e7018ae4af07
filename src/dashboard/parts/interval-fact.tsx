import { significant } from '../format.ts';

/** The interval of a figure above it, if there is one. */
export const IntervalFact = ({ low, high }: { low: number | null | undefined; high: number | null | undefined }) =>
  low == null ? null : (
    <dd class="muted">
      95 %: {significant(low)} – {significant(high)}
    </dd>
  );
