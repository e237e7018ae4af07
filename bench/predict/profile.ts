import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Figure } from '../figure.ts';
import { calls } from './clients.ts';
import { models, type PredictStage } from './stage.ts';

const run = promisify(execFile);

const CLIENTS = 32;
const SECONDS = 8;
/** Before the profile: sessions connect, and the server's JavaScript is compiled. */
const WARM_UP_S = 6;
/** Per second and core; no whole number, so that it does not beat with timers. */
const SAMPLES = 499;

/** The parts of the time, by the command that had a core and the library that it was in. */
const parts: readonly { name: string; command: RegExp; library: RegExp }[] = [
  { name: 'postgres-kernel', command: /^postgres/, library: /^\[kernel/ },
  { name: 'postgres-plpgsql', command: /^postgres/, library: /^plpgsql/ },
  { name: 'postgres', command: /^postgres/, library: /./ },
  { name: 'server-kernel', command: /^(node|MainThread)/, library: /^\[kernel/ },
  { name: 'server-onnxruntime', command: /^(node|MainThread)/, library: /onnxruntime/ },
  { name: 'server', command: /^(node|MainThread)/, library: /./ },
  { name: 'pgbench', command: /^pgbench/, library: /./ },
];

/** Where the time of both cores goes while 32 clients predict one new text after the other, by `perf`: shares of all samples. */
export async function* profileFigures({ url }: PredictStage): AsyncIterable<Figure> {
  const figure = (name: string, value: number, unit: string, note?: string): Figure => ({
    ...{ bench: 'predict', name: `profile-${name}`, value: Number(value.toPrecision(3)), unit, ok: null },
    ...(note === undefined ? {} : { note }),
  });
  const missing = await run('perf', ['--version']).then(
    () => undefined,
    () => 'perf is not on this machine: apt-get install linux-perf',
  );
  if (missing !== undefined) {
    yield figure('clients', 0, 'calls/s', missing);
    return;
  }
  const folder = mkdtempSync(path.join(tmpdir(), 'rafiki-profile-'));
  try {
    const data = path.join(folder, 'perf.data');
    const options = ['-F', String(SAMPLES), '-e', 'cpu-clock', '-a', '-o', data];
    const predict = (text: string): string => `rafiki_predict('${models.temporal_cnn}', ${text})`;
    const recorded = new Promise((resolve) => setTimeout(resolve, WARM_UP_S * 1000)).then(() =>
      run('perf', ['record', ...options, 'sleep', String(SECONDS - 2)]),
    );
    const { perSecond } = await calls(url, predict, { clients: CLIENTS, seconds: SECONDS, warmUp: WARM_UP_S });
    await recorded;
    yield figure('clients', perSecond, 'calls/s');
    const { stdout } = await run('perf', [
      'report',
      '-i',
      data,
      '--sort',
      'comm,dso',
      '-F',
      'overhead,comm,dso',
      '-t',
      '|',
    ]);
    for (const [name, share] of sharesIn(stdout)) yield figure(name, share, '%', 'of the samples of all cores');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function sharesIn(report: string): Map<string, number> {
  const shares = new Map<string, number>(parts.map(({ name }) => [name, 0]));
  for (const line of report.split('\n')) {
    const [share = '', command = '', library = ''] = line.split('|').map((field) => field.trim());
    const part = parts.find((each) => each.command.test(command) && each.library.test(library));
    if (part !== undefined && /^[\d.]+%$/.test(share))
      shares.set(part.name, (shares.get(part.name) ?? 0) + Number.parseFloat(share));
  }
  return shares;
}
