import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { PythonProcess } from '../python-process.ts';
import type { FitRequest, FitResult } from './fit.ts';
import type { TrialFigures, TrialRequest } from './trial-process.ts';

const pathOf = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

/** A process that fits models, one after the other. */
export interface Fitter {
  fit(request: FitRequest): Promise<FitResult>;
  stop(): void;
}

export const peers = { xgboost: 'python3-xgboost', sklearn: 'python3-sklearn' } as const;
export type Peer = keyof typeof peers;

export function startOwn(): Fitter {
  const child: ChildProcess = fork(pathOf('./fit-process.ts'));
  return {
    fit: async (request) => (await asked(child, request)) as FitResult,
    stop: () => void child.disconnect(),
  };
}

/** In a process of its own, so that its peak memory is that of the request. */
export async function runTrial(request: TrialRequest): Promise<TrialFigures> {
  const child = fork(pathOf('./trial-process.ts'));
  const figures = (await asked(child, request)) as TrialFigures;
  child.disconnect();
  return figures;
}

async function asked(child: ChildProcess, request: FitRequest | TrialRequest): Promise<object> {
  child.send(request);
  const [result] = await Promise.race([once(child, 'message'), once(child, 'exit')]);
  if (typeof result === 'object' && result !== null) return result;
  throw new Error(`the training process ended with ${result}`);
}

/** Null if Python has no such library. */
export async function startPeer(peer: Peer, threads: number): Promise<Fitter | null> {
  process.env['OMP_NUM_THREADS'] = String(threads); // scikit-learn's threads
  const python = await PythonProcess.start(pathOf('./peer.py'), [peer]);
  if (python === null) return null;
  return {
    fit: async (request) => JSON.parse(await python.ask(JSON.stringify(request))) as FitResult,
    stop: () => python.stop(),
  };
}
