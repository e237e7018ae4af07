/** For whom a batch runs, where several roles ask: the threads have turns by role. */
export interface Work {
  /** Rows by role. */
  readonly rows: ReadonlyMap<string, number>;
  /** Whether it is known to run longer than others should wait for it. */
  readonly isLong: boolean;
  /** A thread begins with it: what it waited for that is no time of its own. */
  begins(): void;
}
