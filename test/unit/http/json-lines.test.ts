import { expect, test } from 'vitest';
import type { RoleTransaction } from '../../../src/db/role-login.ts';
import { loadTexts } from '../../../src/http/upload/texts.ts';
import { noDestination } from '../../support/no-destination.ts';

/** A database that notes the lines which are copied, in the text format of COPY. */
async function copied(chunks: () => Generator<string> | AsyncGenerator<string>): Promise<string> {
  let text = '';
  const on: RoleTransaction = {
    query: async <Row>() => [{ name: 'a' }] as Row[],
    async copyIn(_, rows) {
      for await (const row of rows) text += String(row);
    },
  };
  async function* bytes() {
    for await (const chunk of chunks()) yield Buffer.from(chunk);
  }
  await loadTexts(on, { format: 'json-lines', bytes: bytes() }, noDestination);
  return text;
}

test('lines are put together from chunks that end anywhere', async () => {
  const lines = '{"a": 1}\n\n{"a": "ü"}\n{"a": 3}';
  for (const size of [1, 2, 3, 7, lines.length]) {
    const chunks = function* () {
      for (let at = 0; at < lines.length; at += size) yield lines.slice(at, at + size);
    };
    expect(await copied(chunks)).toBe('{"a": 1}\n{"a": "ü"}\n{"a": 3}\n');
  }
});

// searched again from its beginning with every chunk, it would take minutes
test('a long line in short chunks is searched once', { timeout: 60_000 }, async () => {
  const [chunks, chunk] = [200_000, 'x'.repeat(60)];
  const long = function* () {
    yield '{"a": "';
    for (let i = 0; i < chunks; i++) yield chunk;
    yield '"}\n';
  };
  expect(await copied(long)).toHaveLength('{"a": ""}\n'.length + chunks * chunk.length);
});

test('a line without an end is refused before all of it has come', async () => {
  let sent = 0;
  const endless = function* () {
    yield '{"a": 1}\n{"a": "';
    for (;;) {
      sent += 1_000_000;
      yield 'x'.repeat(1_000_000);
    }
  };
  await expect(copied(endless)).rejects.toMatchObject({
    sqlstate: '22000',
    message: expect.stringMatching(/^line 2 /),
  });
  expect(sent).toBe(16_000_000);
});

test.each([
  ['is too deep', '['.repeat(65)],
  ['has too many values', `[${'[],'.repeat(150_000)}0]`],
])('a line that %s is refused before it is parsed', async (fault, value) => {
  const lines = function* () {
    yield `{"a": "[["}\n{"a": ${value}`;
  };
  await expect(copied(lines)).rejects.toMatchObject({
    sqlstate: '22000',
    message: `line 2 of the uploaded file ${fault}`,
  });
});

test('lines without an end have a limit in all uploads together', { timeout: 180_000 }, async () => {
  const half = 8_000_000;
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const held = () => {
    let loading: Promise<string> | undefined;
    const parked = new Promise<void>((resolve) => {
      loading = copied(async function* () {
        yield `{"a": "${'x'.repeat(half)}`;
        yield 'x'.repeat(half - 10);
        resolve();
        await released;
        yield '"}';
      });
    });
    return { parked, loading };
  };
  const own = Array.from({ length: 4 }, held);
  await Promise.all(own.map(({ parked }) => parked));
  const long = () =>
    copied(function* () {
      yield `{"a": "${'x'.repeat(65_000)}`;
      yield '"}';
    });
  await expect(long()).rejects.toMatchObject({ status: 503, sqlstate: '53200' });
  expect(
    await copied(function* () {
      yield '{"a": ';
      yield '1}';
    }),
  ).toBe('{"a": 1}\n');
  release();
  for (const { loading } of own) expect(await loading).toHaveLength(2 * half);
  expect(await long()).toContain('xxx');
});
