import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** The kind of a process of a running Rafiki. `trial` trains one, `auxiliary` is one of Postgres's own (checkpointer, …). */
export const processKinds = [
  'up',
  'serving',
  'coordinator',
  'worker',
  'trial',
  'postmaster',
  'backend',
  'auxiliary',
] as const;
export type VictimKind = (typeof processKinds)[number];

export interface RunningProcess {
  pid: number;
  kind: VictimKind;
}

/** Of one process, from /proc: private memory, peak memory, open files, threads. */
export interface ProcessSample extends RunningProcess {
  memoryMb: number;
  peakMb: number;
  files: number;
  threads: number;
}

/** Every process below `root`, and it itself. Linux only. */
export function processesOf(root: number): RunningProcess[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc').filter((each) => /^\d+$/.test(each))) {
    const parent = parentOf(Number(name));
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found: RunningProcess[] = [];
  const queue = [root];
  for (let pid = queue.shift(); pid !== undefined; pid = queue.shift()) {
    const kind = kindOf(pid);
    if (kind !== undefined) found.push({ pid, kind });
    queue.push(...(children.get(pid) ?? []));
  }
  return found;
}

/** Undefined when it ended meanwhile. */
export function sample({ pid, kind }: RunningProcess): ProcessSample | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const value = (key: string): number => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
    return {
      pid,
      kind,
      memoryMb: value('RssAnon') / 1024, // VmRSS counts Postgres's shared buffers once for every backend
      peakMb: value('VmHWM') / 1024,
      files: readdirSync(`/proc/${pid}/fd`).length,
      threads: value('Threads'),
    };
  } catch {
    return undefined;
  }
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]); // a command's name may have brackets and spaces
  } catch {
    return undefined;
  }
}

function kindOf(pid: number): VictimKind | undefined {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    if (command.startsWith('postgres: ')) return /\(\d+\)|\[local\]/.test(command) ? 'backend' : 'auxiliary';
    if (readlinkSync(`/proc/${pid}/exe`).endsWith('/postgres')) return 'postmaster';
    if (/worker\/child\.js/.test(command)) return 'trial';
    const [, role] = /cli\/main\.js (\w+)/.exec(command) ?? [];
    if (role === 'serve') return 'serving';
    return role === 'up' || role === 'coordinator' || role === 'worker' ? role : undefined;
  } catch {
    return undefined;
  }
}
