import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { IMAGE_MODEL, TEXT_MODEL } from './stage.ts';

const PGBENCH = 'pgbench';

/** The statement that each session of a flood repeats; `:n` is another number each time, so that no answer is cached. */
export interface FloodScript {
  sql: string;
  sessions: number;
  /** Description of one statement. */
  unit: string;
}

const inArray = (budget: string): string =>
  `select count(*) from unnest(rafiki_predict('${TEXT_MODEL}',
     (select array_agg(body || ' ' || :n) from bench_text)${budget}));`;

export const floods: Readonly<Record<string, FloodScript>> = {
  arrays: { sql: inArray(''), sessions: 4, unit: 'arrays of 10,000' },
  'patient-arrays': { sql: inArray(`, '1 h'`), sessions: 4, unit: 'arrays of 10,000, budget 1 h' },
  calls: {
    sql: `select rafiki_predict('${TEXT_MODEL}', 'w1 w20 w300 w4000 w17 w512 w9 w33 w2048 w77 w41 w1234 ' || :n);`,
    sessions: 64,
    unit: 'calls of 64 sessions',
  },
  scans: {
    sql: `create temp table flood_scan as select body || ' ' || :n as body from bench_text where id <= 2000;
      select count(rafiki_predict('${TEXT_MODEL}', body)) from flood_scan;
      drop table flood_scan;`,
    sessions: 8,
    unit: 'scans of 2,000',
  },
  images: {
    sql: `select rafiki_predict('${IMAGE_MODEL}', image || int4send(:n)) from bench_large;`,
    sessions: 8,
    unit: 'images of 50 million pixels',
  },
  'image-arrays': {
    sql: `select rafiki_predict('${IMAGE_MODEL}', array_agg(image || int4send(:n + i)), '1 h') from bench_large, generate_series(1, 20) i;`,
    sessions: 2,
    unit: 'arrays of 20 images of 50 million pixels',
  },
};

/** A flood that continues until it is stopped. */
export class Flood {
  readonly #dir = mkdtempSync(path.join(tmpdir(), 'rafiki-bench-'));
  readonly #process: ChildProcess;
  #said = '';

  constructor(url: string, { sql, sessions }: FloodScript, seconds: number) {
    const script = path.join(this.#dir, 'flood.sql');
    writeFileSync(script, `\\set n random(1, 1000000000)\n${sql}\n`);
    const { hostname, port, username, password, pathname } = new URL(url);
    const args = ['-n', '-c', String(sessions), '-j', '2', '-T', String(Math.ceil(seconds)), '-f', script];
    this.#process = spawn(PGBENCH, [...args, '-h', hostname, '-p', port, '-U', username, pathname.slice(1)], {
      env: { ...process.env, PGPASSWORD: password },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.on('data', (text: Buffer) => {
        this.#said = (this.#said + text.toString()).slice(-20_000);
      });
    }
  }

  /** The number of statements; a flood without any is an error. */
  async end(): Promise<number> {
    if (this.#process.exitCode === null) await once(this.#process, 'exit');
    rmSync(this.#dir, { recursive: true, force: true });
    const done = Number(/transactions actually processed: (\d+)/.exec(this.#said)?.[1] ?? 0);
    if (done === 0) throw new Error(`the flood did not flow: ${this.#said}`);
    return done;
  }
}
