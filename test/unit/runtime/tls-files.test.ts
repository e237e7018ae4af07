import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readTlsFiles } from '../../../src/runtime/tls-files.ts';

let dir: string;
const at = (name: string): string => path.join(dir, name);

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'rafiki-tls-files-'));
  for (const name of ['one', 'other']) {
    const made = await generate([{ name: 'commonName', value: name }], { keyType: 'ec', curve: 'P-256' });
    await writeFile(at(`${name}.crt`), made.cert);
    await writeFile(at(`${name}.key`), made.private);
  }
  await writeFile(at('no.pem'), 'no PEM');
});
afterAll(() => rm(dir, { recursive: true, force: true }));

it.each([
  ['one.crt', 'other.key'],
  ['one.crt', 'no.pem'],
  ['no.pem', 'one.key'],
  ['one.key', 'one.crt'],
])('%s with %s is refused, and the files are named', async (cert, key) => {
  await expect(readTlsFiles(at(cert), at(key))).rejects.toMatchObject({
    ...{ sqlstate: '58000', message: `${at(cert)} and ${at(key)} are no certificate and its key` },
    hint: expect.stringContaining('PEM'),
  });
});

it('a certificate with its key is read', async () => {
  const { cert, key } = await readTlsFiles(at('one.crt'), at('one.key'));
  expect(String(cert)).toContain('BEGIN CERTIFICATE');
  expect(String(key)).toContain('PRIVATE KEY');
});
