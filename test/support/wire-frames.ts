import fc from 'fast-check';
import { frame, opening } from './wire-client.ts';

/** What is sent on one connection, cut into pieces at any place. */
export type Script = readonly Buffer[];

const bytes = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((each) => Buffer.from(each));

/** Lengths that a frame claims: mostly its own. */
const claim = (own: number): fc.Arbitrary<number> =>
  fc.oneof(
    { weight: 20, arbitrary: fc.constant(own) },
    { weight: 1, arbitrary: fc.integer({ min: own - 8, max: own + 8 }) },
    { weight: 1, arbitrary: fc.constantFrom(0, 3, 4, 5, 9_999, 10_001, 70_000, 2 ** 26, 2 ** 31 - 1, -1, -(2 ** 31)) },
  );

const claimed = (type: fc.Arbitrary<string>, body: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> =>
  fc
    .tuple(type, body)
    .chain(([letter, content]) => claim(content.length + 4).map((own) => frame(letter, content, own)));

const field = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom('key', 'other', 'alice', '', 'yes', 'no', '50ms', 'answer', 'null', '1.5 7:7: alice'),
  },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('["yes",null,"no"]', '[]', '[[', '1;2;;(0,9)', '1a'.repeat(40), 'x'.repeat(70_000)),
  },
);
const request = fc
  .tuple(
    fc.constantFrom(...'PNADBVRSpnadbvrX'),
    fc.oneof({ weight: 3, arbitrary: fc.constant('key') }, field),
    fc.array(field, { maxLength: 7 }),
  )
  .map(([verb, key, rest]) => Buffer.from(`${[verb, key, ...rest].join('\x1f')}\0`));
const encoding = fc
  .constantFrom('UTF8', 'LATIN1', `'SQL_ASCII'`, '"', 'x'.repeat(120))
  .map((name) => Buffer.from(`set client_encoding to ${name}\0`));
const letter = fc.oneof(
  { weight: 30, arbitrary: fc.constant('Q') },
  { weight: 1, arbitrary: fc.nat(255).map((code) => String.fromCharCode(code)) },
);

const later = fc.oneof(
  { weight: 12, arbitrary: claimed(letter, request) },
  { weight: 2, arbitrary: claimed(letter, bytes(60)) },
  { weight: 1, arbitrary: claimed(letter, encoding) },
  { weight: 1, arbitrary: bytes(20) },
);

const settings = fc
  .array(fc.oneof(fc.constantFrom('user', 'rafiki', 'client_encoding', 'UTF8', ''), fc.string({ maxLength: 20 })), {
    maxLength: 6,
  })
  .map((words) => Buffer.from(`${words.join('\0')}\0\0`));
const code = fc.oneof(
  { weight: 6, arbitrary: fc.constant(196608) },
  { weight: 4, arbitrary: fc.constantFrom(196610, 80877102, 80877103, 80877104, 131072) },
  { weight: 1, arbitrary: fc.integer() },
);
const greeting = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(code, settings).map(([number, body]) => opening(number, body)) },
  { weight: 1, arbitrary: bytes(20) },
);
const sasl = fc.oneof(
  fc.constant(Buffer.from('SCRAM-SHA-256\0\0\0\0\x20n,,n=,r=abcdefghijklmnopqrstuvwx')),
  fc.constantFrom('c=biws,r=a,p=b', 'n,,n=,r=').map((text) => Buffer.from(text)),
  bytes(80),
);
const earlier = fc.oneof(
  { weight: 3, arbitrary: greeting },
  { weight: 2, arbitrary: claimed(fc.constantFrom('p', 'p', 'Q', 'X'), sasl) },
);

function cut(content: Buffer, places: readonly number[]): Buffer[] {
  const cuts = [0, ...places.map((place) => place % (content.length + 1)).sort((a, b) => a - b), content.length];
  return cuts.slice(1).map((end, i) => content.subarray(cuts[i], end));
}

const script = (frames: fc.Arbitrary<Buffer>, count: number): fc.Arbitrary<Script> =>
  fc
    .tuple(fc.array(frames, { minLength: count, maxLength: count }), fc.array(fc.nat(), { maxLength: 3 }))
    .map(([sent, places]) => cut(Buffer.concat(sent), places));

/** Frames on an unauthenticated connection, and on an authenticated one. */
export const STRANGE_FRAMES = 4;
export const KNOWN_FRAMES = 16;

/** Scripts with so many frames in all, half of them after login; the same for the same seed. */
export function scriptsOf(frames: number, seed: number): { strange: Script[]; known: Script[] } {
  const half = frames / 2;
  return {
    strange: fc.sample(script(earlier, STRANGE_FRAMES), { numRuns: Math.ceil(half / STRANGE_FRAMES), seed }),
    known: fc.sample(script(later, KNOWN_FRAMES), { numRuns: Math.ceil(half / KNOWN_FRAMES), seed }),
  };
}
