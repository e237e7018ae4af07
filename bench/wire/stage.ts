import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { Address } from '../../src/bridge/server.ts';

const script = (name: string): string => path.join(import.meta.dirname, `${name}-process.ts`);

interface Health {
  heldBytes: number;
  rssBytes: number;
  unhandled: number;
}

/** A bridge in a process of its own. */
export interface WireStage {
  address: Address;
  /** Its memory, after all garbage was collected. */
  health(): Promise<Health>;
  isAlive(): boolean;
  /** Silent connections, or ones that send single bytes; the returned function closes them and returns how many were opened in all. */
  silent(count: number, kind?: 'silent' | 'dripping'): Promise<() => Promise<number>>;
  stop(): Promise<void>;
}

export async function startWireStage(): Promise<WireStage> {
  const server = fork(script('server'), { execArgv: [...process.execArgv, '--expose-gc'] });
  const [address] = (await once(server, 'message')) as [Address];
  return {
    address,
    health: () => ask<Health>(server),
    isAlive: () => server.exitCode === null && server.signalCode === null,
    async silent(count, kind = 'silent') {
      const child = fork(script('silent'), [address.host, String(address.port), String(count), kind]);
      await once(child, 'message');
      return async () => {
        const { opened } = await ask<{ opened: number }>(child);
        await end(child);
        return opened;
      };
    },
    stop: () => end(server),
  };
}

async function ask<T>(child: ChildProcess): Promise<T> {
  const answer = once(child, 'message');
  child.send('tell');
  return (await answer)[0] as T;
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
