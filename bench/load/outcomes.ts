/** Errors that are allowed while a process is down: no connection, or a process that is starting or stopping. */
const away = /^(08...|57P..|53300|connection|timeout)$/;
/** A killed process has restarted long before that, and Postgres has recovered. */
const DOWN_MS = 60_000;
const MAX_TOLD = 100;

/** How the calls of a load ended. */
export class Outcomes {
  readonly calls = new Map<string, number>();
  /** By SQLSTATE; `timeout` and `connection` for calls without one. */
  readonly errors = new Map<string, number>();
  /** Wrong answers. */
  readonly wrong: string[] = [];
  /** Sessions whose calls kept failing. */
  readonly stuck: string[] = [];
  /** Errors that are never allowed, or not while all processes run. */
  readonly unexpected: string[] = [];
  longestOutageMs = 0;
  #downUntilMs = Number.NEGATIVE_INFINITY;

  succeeded(call: string): void {
    this.calls.set(call, (this.calls.get(call) ?? 0) + 1);
  }

  failed(code: string, what: string, nowMs = performance.now()): void {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
    if (away.test(code) && nowMs < this.#downUntilMs) return;
    if (this.unexpected.length < MAX_TOLD)
      this.unexpected.push(`${code} of ${what}${away.test(code) ? ' while nothing was down' : ''}`);
  }

  /** A process is down from now on, at most for the given time. */
  disturbed(forMs = DOWN_MS, nowMs = performance.now()): void {
    this.#downUntilMs = Math.max(this.#downUntilMs, nowMs + forMs);
  }

  get total(): number {
    return [...this.calls.values()].reduce((sum, n) => sum + n, 0);
  }

  describe(): string {
    const list = (counts: Map<string, number>): string =>
      [...counts].map(([name, n]) => `${name} ${n}`).join(', ') || 'none';
    return `calls: ${list(this.calls)}; errors: ${list(this.errors)}; longest outage ${(this.longestOutageMs / 1000).toFixed(1)} s`;
  }
}
