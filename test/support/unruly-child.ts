// For tests of processes whose word is not taken: one that a graph has taken over. It does what the order names.
import { spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { FrameReader } from '../../src/runtime/frames/frame-reader.ts';
import { ANSWER, frameOf, ORDER, readNumbered } from '../../src/runtime/frames/numbered-message.ts';
import { anyExtent } from '../../src/runtime/frames/packed-message.ts';

interface UnrulyOrder {
  kind: string;
  /** Of a check: JSON of {@link UnrulyWords}. */
  spec?: string;
  /** Of a batch: the same. */
  inputs?: string;
  files?: { inputKind: string };
}

/** What a check or a batch is answered with. */
interface UnrulyWords {
  kind?: string;
  /** Of each output. */
  numbers?: number[];
  answer?: object;
}

const pipe = new Socket({ fd: 3, readable: true, writable: true });
pipe.on('error', () => undefined);

const answer = (number: number, message: unknown): Buffer => Buffer.concat(frameOf(ANSWER, number, message));
/** A frame around any body, whatever its length says. */
function raw(body: Buffer, length = 4 + body.length, type = ANSWER): Buffer {
  const head = Buffer.alloc(5, type);
  head.writeInt32BE(length, 1);
  return Buffer.concat([head, body]);
}
const int = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const withJson = (number: number, json: string, more = Buffer.alloc(0), length = json.length): Buffer =>
  raw(Buffer.concat([int(number), int(length), Buffer.from(json), more]));

function endlessly(to: NodeJS.WritableStream): void {
  const zeros = Buffer.alloc(2 ** 20);
  const write = (): void => void to.write(zeros, write);
  write();
}

/** What is written instead of an answer. */
const writes: Record<string, (number: number) => Buffer> = {
  'a giant length': () => raw(int(0), 2 ** 31 - 1),
  'a length below 0': () => raw(int(0), -1),
  'no frame at all': () => Buffer.from('HTTP/1.1 200 OK\r\n\r\n'),
  'a frame of another type': (number) => raw(answer(number, {}).subarray(5), undefined, ORDER),
  'an answer to another order': (number) => answer(number + 1, {}),
  'two answers': (number) => Buffer.concat([answer(number, {}), answer(number, {})]),
  'an answer without a message': () => raw(Buffer.alloc(0)),
  'a longer answer than may be': (number) => answer(number, { text: 'x'.repeat(2 ** 17) }),
  'what is no JSON': (number) => withJson(number, '{"a": 1'),
  'bytes that are no text': (number) => withJson(number, '\xff\xfe', Buffer.from([0xff])),
  'JSON that is cut off': (number) => withJson(number, '{}', undefined, 100),
  'JSON of a length below 0': (number) => withJson(number, '{}', undefined, -1),
  'JSON of many levels': (number) => withJson(number, `${'['.repeat(50_000)}${']'.repeat(50_000)}`),
  'an array that is cut off': (number) => withJson(number, '{"a":"\\u0000f400"}', Buffer.alloc(4)),
  'half a number in an array': (number) => withJson(number, '{"a":"\\u0000f3"}', Buffer.alloc(3)),
  'many arrays': (number) => withJson(number, `[${'"\\u0000f0",'.repeat(50)}0]`),
  'long JSON': (number) => withJson(number, `[${'0,'.repeat(1000)}0]`),
  'an array of an unknown kind': (number) => withJson(number, '{"a":"\\u0000q4"}', Buffer.alloc(4)),
  'an array of no length': (number) => withJson(number, '{"a":"\\u0000f-4"}', Buffer.alloc(4)),
  'bytes that nothing names': (number) => withJson(number, '{}', Buffer.alloc(8)),
  'an answer of another form': (number) => answer(number, { pid: 'none' }),
  null: (number) => answer(number, null),
};

function misbehave(kind: string, number: number): void {
  const bytes = writes[kind]?.(number);
  if (bytes !== undefined) pipe.write(bytes);
  else if (kind === 'bytes without end') {
    pipe.write(raw(Buffer.alloc(0), 60_000));
    endlessly(pipe);
  } else if (kind === 'errors without end') endlessly(process.stderr);
  else if (kind === 'half a frame, and ends') pipe.write(answer(number, {}).subarray(0, 7), () => process.exit(3));
  else if (kind === 'half a frame, and closes the pipe') {
    pipe.end(answer(number, {}).subarray(0, 7));
    setInterval(() => undefined, 1_000);
  } else if (kind === 'an answer, and then more') {
    pipe.write(answer(number, { pid: 1 }));
    setImmediate(() => pipe.write(answer(number, { pid: 2 })));
  } else if (kind === 'what leaves the group') {
    const child = spawn('/bin/sleep', ['600'], { detached: true, stdio: ['ignore', 'ignore', 'inherit', pipe] });
    pipe.write(answer(number, { pid: child.pid }));
  } else if (kind !== 'nothing') pipe.write(answer(number, { pid: process.pid }));
}

function obey(number: number, { kind, spec, inputs, files }: UnrulyOrder): void {
  const given = spec ?? (kind === 'run' ? inputs : undefined);
  if (kind === 'load') {
    if (files?.inputKind !== 'image') pipe.write(answer(number, { ok: true, outputs: [] }));
    return;
  }
  const said: UnrulyWords = given === undefined ? { kind } : (JSON.parse(given) as UnrulyWords);
  if (said.kind === undefined) {
    const outputs = said.numbers?.map((length) => new Float32Array(length));
    pipe.write(answer(number, said.answer ?? { ok: true, outputs }));
  } else misbehave(said.kind, number);
}

const reader = new FrameReader();
pipe.on('data', (bytes: Buffer) => {
  reader.push(bytes);
  const head = reader.head(2 ** 20, 4);
  if (head !== null) {
    pipe.pause(); // a long order is answered unread
    pipe.write(answer(head.prefix.readInt32BE(0), { pid: 0 }));
    return;
  }
  for (let frame = reader.next(2 ** 31 - 1); frame !== null; frame = reader.next(2 ** 31 - 1)) {
    const { number, message } = readNumbered(frame, ORDER, anyExtent);
    obey(number, message as UnrulyOrder);
  }
});
