/** The result of `ask`, asked at most once in `ms`, however many want to know it. A failure counts as false. */
export function recent(ask: () => Promise<boolean>, ms: number): () => Promise<boolean> {
  let askedMs = Number.NEGATIVE_INFINITY;
  let last = Promise.resolve(false);
  return () => {
    if (performance.now() - askedMs > ms) {
      askedMs = performance.now();
      last = ask().catch(() => false);
    }
    return last;
  };
}
