import { connect, type Socket } from 'node:net';

/** One connection that sends one request after the other: as little of a client as there can be, since it takes part in what is measured. */
export class RawClient {
  readonly #socket: Socket;
  readonly #head: string;
  #said: Buffer = Buffer.alloc(0);
  #resolve: ((body: string) => void) | undefined;

  private constructor(socket: Socket, head: string) {
    this.#socket = socket;
    this.#head = head;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', () => undefined);
  }

  static open(url: string, path: string, authorization: string): Promise<RawClient> {
    const { hostname, port } = new URL(url);
    const head = `POST ${path} HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: ${authorization}\r\nContent-Type: application/json\r\nContent-Length: `;
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => resolve(new RawClient(socket, head)));
      socket.once('error', reject);
    });
  }

  /** The body of the answer. */
  ask(body: string): Promise<string> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#socket.write(`${this.#head}${Buffer.byteLength(body)}\r\n\r\n${body}`);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#said = this.#said.length === 0 ? chunk : Buffer.concat([this.#said, chunk]);
    const end = this.#said.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.#said.toString('latin1', 0, end);
    const [, length = '0'] = /content-length: (\d+)/i.exec(head) ?? [];
    if (this.#said.length < end + 4 + Number(length)) return;
    const body = this.#said.toString('utf8', end + 4, end + 4 + Number(length));
    this.#said = Buffer.alloc(0);
    if (!head.startsWith('HTTP/1.1 200')) throw new Error(`${head.split('\r\n')[0]}: ${body.slice(0, 500)}`);
    this.#resolve?.(body);
  }
}
