import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { type ErrorReport, reportError } from '../errors/rafiki-error.ts';
import type { MemberOutput } from './device.ts';
import type { Subset } from './policies/policy.ts';
import { type EnsembleFiles, Replica } from './replica.ts';

/** What the pool asks of a thread. Every order is answered, in turn. */
export type Order =
  | { kind: 'load'; id: number; files: EnsembleFiles }
  | { kind: 'run'; id: number; texts: JoinedTexts; subset: Subset }
  | { kind: 'unload'; id: number };

/** Texts end to end with NUL between, which no text of PostgreSQL has: one long string is copied 5 µs a row faster than many. */
export type JoinedTexts = string;
export const textSeparator = '\0';

export type Report = { ok: true; outputs: MemberOutput[] } | { ok: false; error: ErrorReport };

const replicas = new Map<number, Replica>();

async function obey(order: Order): Promise<MemberOutput[]> {
  const replica = replicas.get(order.id);
  switch (order.kind) {
    case 'load':
      replicas.set(order.id, await Replica.load(order.files));
      return [];
    case 'run':
      if (replica === undefined) throw new Error(`model ${order.id} is not loaded on this thread`);
      return replica.run(order.texts.split(textSeparator), order.subset);
    case 'unload':
      replicas.delete(order.id);
      await replica?.release();
      return [];
  }
}

async function report(order: Order): Promise<Report> {
  try {
    return { ok: true, outputs: await obey(order) };
  } catch (error) {
    return { ok: false, error: reportError(error) };
  }
}

/** Below the event loop, which must answer in time while all cores compute, and above training, which is at 10. */
const NICE = 5;

// On Linux a priority is that of a thread, and 0 names the calling one; elsewhere the event loop would be set back as well.
if (process.platform === 'linux') setPriority(0, NICE);

/** One order after the other: answers are told apart by their order only, and a model must not go while it runs. */
let last: Promise<void> = Promise.resolve();
parentPort?.on('message', (order: Order) => {
  last = last.then(() => report(order)).then((answer) => parentPort?.postMessage(answer));
});
