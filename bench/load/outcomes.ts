/** How the calls of a load ended. */
export class Outcomes {
  readonly calls = new Map<string, number>();
  /** By SQLSTATE; `timeout` and `connection` for calls that never heard one. */
  readonly errors = new Map<string, number>();
  /** What was answered that cannot be. */
  readonly wrong: string[] = [];
  /** Sessions whose calls went on failing. */
  readonly stuck: string[] = [];
  longestOutageMs = 0;

  succeeded(call: string): void {
    this.calls.set(call, (this.calls.get(call) ?? 0) + 1);
  }

  failed(code: string): void {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
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
