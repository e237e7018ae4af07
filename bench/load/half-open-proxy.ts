import net from 'node:net';

/** Forwards to a server, until connections are made half-open: both ends still consider the other one connected. */
export class HalfOpenProxy {
  readonly #server: net.Server;
  readonly #pairs = new Set<readonly [net.Socket, net.Socket]>();

  constructor(target: { host: string; port: number }) {
    this.#server = net.createServer((near) => {
      const far = net.connect(target);
      const pair = [near, far] as const;
      this.#pairs.add(pair);
      near.pipe(far);
      far.pipe(near);
      for (const end of pair) {
        end.on('error', () => this.#drop(pair));
        end.on('close', () => this.#drop(pair));
      }
    });
  }

  listen(port: number): Promise<void> {
    return new Promise((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
  }

  /** Like a gateway that loses its connections: no data pass any more, without an error. New connections work. */
  forget(): number {
    for (const [near, far] of this.#pairs) {
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        from.unpipe(to);
        from.pause();
        from.removeAllListeners('close');
      }
    }
    return this.#pairs.size;
  }

  close(): void {
    this.#server.close();
    for (const pair of this.#pairs) for (const end of pair) end.destroy();
  }

  #drop(pair: readonly [net.Socket, net.Socket]): void {
    this.#pairs.delete(pair);
    for (const end of pair) end.destroy();
  }
}
