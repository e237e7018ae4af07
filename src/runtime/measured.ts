/** One number of a measurement. Labels are few and bounded: each combination is a time series. */
interface MeasuredValue {
  labels: Readonly<Record<string, string>>;
  value: number;
}

/** What a process measures, in the terms of Prometheus: base units (seconds, bytes), counters that only grow. */
export interface Measured {
  /** As `rafiki_…`; a counter's ends with `_total`. */
  name: string;
  help: string;
  kind: 'counter' | 'gauge' | 'histogram';
  values: readonly MeasuredValue[];
  /** Of a histogram: for each of `values`, which are the sums, how many were observed, and how many up to each bound. */
  buckets?: readonly MeasuredBuckets[];
}

export interface MeasuredBuckets {
  /** Upper bounds, ascending, without infinity. */
  bounds: readonly number[];
  /** Observations up to each bound, those below included. */
  counts: readonly number[];
  count: number;
}

/** A service that can say at any time what it has measured. */
export interface MeasuredService {
  measured(): readonly Measured[] | Promise<readonly Measured[]>;
}
