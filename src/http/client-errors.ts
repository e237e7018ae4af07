import type { Socket } from 'node:net';
import { errorBody, HttpRefusal } from './error-answer.ts';

/** What Node's parser says of a request that it cannot read. */
const refusals: Readonly<Record<string, HttpRefusal>> = {
  ERR_HTTP_REQUEST_TIMEOUT: new HttpRefusal({ status: 408, sqlstate: '57014' }, 'the request did not arrive in time', {
    hint: 'Send it again, quicker or in parts; docs/http.md has the limits.',
  }),
  HPE_HEADER_OVERFLOW: new HttpRefusal({ status: 431, sqlstate: '54000' }, 'the headers of the request are too large', {
    hint: 'docs/http.md has the limits.',
  }),
};
const unreadable = new HttpRefusal({ status: 400, sqlstate: '08P01' }, 'the request is not HTTP', {
  hint: 'Speak HTTP 1.1, and with TLS where the server has it: https://….',
});

/** Connections whose bodies are files that go on to Postgres: they arrive as fast as it takes them. */
const streaming = new WeakSet<Socket>();

export function streams(socket: Socket, isStreaming: boolean): void {
  if (isStreaming) streaming.add(socket);
  else streaming.delete(socket);
}

/** Answers in the shape of all errors, and closes the connection. A file that is being read has its own limits of time. */
export function onClientError(error: Error & { code?: string }, socket: Socket): void {
  const { code = '' } = error;
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT' && streaming.has(socket)) return;
  const { _httpMessage: answer } = socket as { _httpMessage?: { _headerSent?: boolean } };
  const isAnswering = answer?._headerSent === true; // an error would look like a part of the answer
  if (code === 'ECONNRESET' || socket.destroyed || !socket.writable || isAnswering) {
    socket.destroy();
    return;
  }
  const { status, body } = errorBody(refusals[code] ?? unreadable);
  const text = JSON.stringify(body);
  const head = [
    `HTTP/1.1 ${status} Refused`,
    'connection: close',
    'content-type: application/json; charset=utf-8',
    'x-content-type-options: nosniff',
    `content-length: ${Buffer.byteLength(text)}`,
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`, () => socket.destroy());
}
