import { InvalidParameter } from '../src/errors/errors.ts';
import { clockSet } from './faults/clock.ts';
import { cacheFull, dataFull } from './faults/disk.ts';
import { connectionsUsedUp, notifyQueueFull } from './faults/exhausted.ts';
import { FaultSkipped, type SingleFault } from './faults/fault.ts';
import { bridgeFrozen, halfOpenDatabase } from './faults/half-open.ts';
import { killsFault } from './faults/kills.ts';
import { servingRolled, workerCutOff } from './faults/machines.ts';
import { trialKilled, trialRefused } from './faults/memory.ts';
import { postgresCrashed, postgresRestarted, postgresSlow } from './faults/postgres.ts';
import { upKilled } from './faults/up-killed.ts';
import type { Figure } from './figure.ts';

export interface FaultOptions {
  /** Of random processes. */
  kills?: string | undefined;
  /** Only the fault of that name. */
  only?: string | undefined;
}

const KILLS = '500';
const faults: readonly SingleFault[] = [
  upKilled,
  postgresRestarted,
  postgresCrashed,
  postgresSlow,
  halfOpenDatabase,
  bridgeFrozen,
  cacheFull,
  dataFull,
  clockSet,
  notifyQueueFull,
  connectionsUsedUp,
  trialKilled,
  trialRefused,
  workerCutOff,
  servingRolled,
];

/** Injects each fault into a running Rafiki under load, and reports whether anything was lost. */
export async function* faultsBench({ kills = KILLS, only }: FaultOptions): AsyncIterable<Figure> {
  const all: readonly SingleFault[] = [killsFault(Number(kills)), ...faults];
  const chosen = all.filter(({ name }) => only === undefined || name === only);
  if (chosen.length === 0)
    throw new InvalidParameter(`there is no fault "${only}"`, {
      hint: `Faults: ${all.map(({ name }) => name).join(', ')}.`,
    });
  for (const fault of chosen) yield await figureOf(fault);
}

async function figureOf(fault: SingleFault): Promise<Figure> {
  const startedMs = performance.now();
  const figure = (ok: boolean | null, note: string): Figure => ({
    bench: 'faults',
    name: fault.name,
    value: Math.round((performance.now() - startedMs) / 1000),
    unit: 's',
    ok,
    note: `${fault.checks}${note === '' ? '' : `: ${note}`}`,
  });
  try {
    const { broken, note } = await fault.run();
    return broken.length === 0
      ? figure(true, note)
      : figure(false, `FAILS: ${broken.slice(0, 5).join('; ')} (${note})`);
  } catch (error) {
    if (error instanceof FaultSkipped) return figure(null, `not run: ${error.message}`);
    return figure(false, `FAILS: ${messageOf(error)}`);
  }
}

/** With its cause; of a log, only the first lines. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const [first = '', second = ''] = error.message.split('\n');
  return `${first} ${second.slice(0, 200)}${error.cause instanceof Error ? ` (${messageOf(error.cause)})` : ''}`.trim();
}
