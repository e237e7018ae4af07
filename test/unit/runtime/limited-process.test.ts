import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { fencedOff } from '../../../src/runtime/limited/fence.ts';
import { LimitedProcess } from '../../../src/runtime/limited/limited-process.ts';

const entry = new URL('./limited-child.ts', import.meta.url);
const limited = (): LimitedProcess =>
  new LimitedProcess({
    entry,
    memoryBytes: 2 ** 30,
    reads: [path.dirname(entry.pathname)],
    nice: 1,
    onEnd: () => undefined,
  });

test('it has no environment, and reaches neither files nor the network nor its parent, where the system can see to that', async () => {
  const dir = mkdtempSync(path.join(homedir(), '.rafiki-test-'));
  const file = path.join(dir, 'secret');
  writeFileSync(file, 'secret', { mode: 0o600 });
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const child = limited();
  try {
    const found = await child.order({ kind: 'look', file, port }, 60_000);
    const away = fencedOff();
    expect(found).toEqual({
      environment: [],
      readsFile: !away.includes('files'),
      readsParent: !away.includes('files') && !away.includes('network'),
      connects: !away.includes('network'),
    });
  } finally {
    await child.kill();
    server.close();
    rmSync(dir, { recursive: true });
  }
});

test('it is ended where an order takes too long, or too much memory', async () => {
  const late = limited();
  await expect(late.order({ kind: 'spin' }, 3_000)).rejects.toEqual({ kind: 'late', ms: 3_000 });
  await expect(late.order({ kind: 'look' }, 3_000)).rejects.toEqual({ kind: 'late', ms: 3_000 });
  const large = limited();
  await expect(large.order({ kind: 'allocate' }, 60_000)).rejects.toMatchObject({ kind: 'died' });
});
