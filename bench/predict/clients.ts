import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export async function hasPgbench(): Promise<boolean> {
  return run('pgbench', ['--version']).then(
    () => true,
    () => false,
  );
}

export const howToGetPgbench =
  'pgbench is not on this machine: apt-get install postgresql-contrib, or your system’s like';

export interface Calls {
  perSecond: number;
  p99Ms: number;
}

export interface ClientLoad {
  clients: number;
  seconds: number;
  /** Seconds that do not count: sessions connect and warm up. */
  warmUp?: number;
}

/** Calls of `clients` sessions that each predict one new text after the other. */
export async function calls(
  url: string,
  predict: (text: string) => string,
  { clients, seconds, warmUp = 0 }: ClientLoad,
): Promise<Calls> {
  const dir = mkdtempSync(path.join(tmpdir(), 'rafiki-bench-'));
  try {
    const script = path.join(dir, 'predict.sql');
    writeFileSync(script, `\\set n random(1, 1000000000)\nselect ${predict(`'${sentence} ' || :n`)};\n`);
    const args = [
      '-n',
      '-M',
      'prepared',
      '-c',
      String(clients),
      '-j',
      '2',
      '-T',
      String(warmUp + seconds),
      '-f',
      script,
    ];
    const { stdout } = await run('pgbench', [...args, '-l', ...connection(url)], {
      cwd: dir,
      env: { ...process.env, PGPASSWORD: new URL(url).password },
    });
    const [, failed = '0'] = /number of failed transactions: (\d+)/.exec(stdout) ?? [];
    if (failed !== '0') throw new Error(`pgbench failed: ${stdout}`);
    return counted(dir, seconds);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The last `seconds` of pgbench's logs: their columns are client, number, µs, script, and when it ended in s and µs. */
function counted(dir: string, seconds: number): Calls {
  const logs = readdirSync(dir).filter((file) => file.startsWith('pgbench_log'));
  const ended = logs
    .flatMap((file) => readFileSync(path.join(dir, file), 'utf8').trim().split('\n'))
    .map((line) => line.split(' ').map(Number))
    .map(([, , us = 0, , s = 0, micros = 0]) => ({ ms: us / 1000, atS: s + micros / 1e6 }));
  const lastS = ended.reduce((last, { atS }) => Math.max(last, atS), 0);
  const ms = Float64Array.from(ended.filter(({ atS }) => atS > lastS - seconds).map((call) => call.ms)).sort();
  return { perSecond: ms.length / seconds, p99Ms: ms[Math.floor(0.99 * (ms.length - 1))] ?? Number.NaN };
}

const sentence = 'w1 w20 w300 w4000 w17 w512 w9 w33 w2048 positive3 w77 w41 w1234 w8 w99 w640 w5 w72 w3 w250';

function connection(url: string): string[] {
  const { hostname, port, username, pathname } = new URL(url);
  return ['-h', hostname, '-p', port, '-U', username, pathname.slice(1)];
}
