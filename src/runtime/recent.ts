/** The result of `ask`, asked at most once in `ms`, however many want to know it; that of a failure is `ofFailure`. */
export function recent<T>(ask: () => Promise<T>, ms: number, ofFailure: T): () => Promise<T> {
  const failed = async (): Promise<T> => ofFailure;
  let askedMs = Number.NEGATIVE_INFINITY;
  let last = failed();
  return () => {
    if (performance.now() - askedMs > ms) {
      askedMs = performance.now();
      last = ask().catch(failed);
    }
    return last;
  };
}
