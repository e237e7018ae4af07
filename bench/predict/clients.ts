import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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

/** Calls per second of `clients` sessions that each predict one new text after the other. */
export async function callsPerSecond(
  url: string,
  model: string,
  { clients, seconds }: { clients: number; seconds: number },
): Promise<number> {
  const dir = mkdtempSync(path.join(tmpdir(), 'rafiki-bench-'));
  try {
    const script = path.join(dir, 'predict.sql');
    writeFileSync(script, `\\set n random(1, 1000000000)\nselect rafiki_predict('${model}', '${sentence} ' || :n);\n`);
    const args = ['-n', '-M', 'prepared', '-c', String(clients), '-j', '2', '-T', String(seconds), '-f', script];
    const { stdout } = await run('pgbench', [...args, ...connection(url)], {
      env: { ...process.env, PGPASSWORD: new URL(url).password },
    });
    const [, tps] = /tps = ([\d.]+)/.exec(stdout) ?? [];
    const [, failed = '0'] = /number of failed transactions: (\d+)/.exec(stdout) ?? [];
    if (tps === undefined || failed !== '0') throw new Error(`pgbench failed: ${stdout}`);
    return Number(tps);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const sentence = 'w1 w20 w300 w4000 w17 w512 w9 w33 w2048 positive3 w77 w41 w1234 w8 w99 w640 w5 w72 w3 w250';

function connection(url: string): string[] {
  const { hostname, port, username, pathname } = new URL(url);
  return ['-h', hostname, '-p', port, '-U', username, pathname.slice(1)];
}
