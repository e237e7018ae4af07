// For limited-process.test.ts: starts a process that has started others, and computes without end.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { anyExtent } from '../../../src/runtime/frames/packed-message.ts';
import { fenceParts } from '../../../src/runtime/limited/fence.ts';
import { LimitedProcess } from '../../../src/runtime/limited/limited-process.ts';

const entry = new URL('./limited-child.ts', import.meta.url);
const child = await LimitedProcess.start({
  ...{ entry, memoryBytes: 2 ** 30, reads: [path.dirname(fileURLToPath(entry))], nice: 1, onEnd: () => undefined },
});
const limits = { limitMs: 600_000, maxBytes: 1_000, ...anyExtent, read: () => null };
const { away } = await fenceParts();
await child.order({ kind: 'start', signals: away.includes('processes') }, limits);
void child.order({ kind: 'spin' }, limits).catch(() => undefined);
process.send?.(null);
