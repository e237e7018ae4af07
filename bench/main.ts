import { parseArgs } from 'node:util';
import { augmentBench } from './augment.ts';
import { engineBench } from './engine.ts';
import type { Figure } from './figure.ts';
import { predictBench } from './predict.ts';
import { type ServingOptions, servingBench } from './serving.ts';
import { type StudyOptions, studyBench } from './study.ts';
import { type TuningOptions, tuningBench } from './tuning.ts';
import { type ZooOptions, zooBench } from './zoo.ts';

type Options = ZooOptions & StudyOptions & TuningOptions & ServingOptions;

/** Every benchmark by name; each yields its figures as they are measured. */
const benches: Record<string, (options: Options) => AsyncIterable<Figure>> = {
  augment: augmentBench,
  engine: engineBench,
  predict: predictBench,
  serving: servingBench,
  study: studyBench,
  tuning: tuningBench,
  zoo: zooBench,
};

const usage = `usage: npm run -s bench -- ${Object.keys(benches).join('|')} [--json] [--quick]\n       zoo: --family NAME --data NAME [--minutes N] [--bar N] [--threads N] [--seed N] [--knobs JSON] [--rows N]\n       study: --data NAME [--minutes N] [--seed N]\n       tuning: [--seeds N] [--tuners NAME,…] or --costudy DATA [--seeds N], --kills N, --trials N, --workers, --peer [--minutes N] [--seeds N]\n       predict: [--peer]\n       serving: [--real [--minutes N]], --models N [--minutes N] or --trace FILE\n`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean' },
    quick: { type: 'boolean' },
    family: { type: 'string' },
    data: { type: 'string' },
    minutes: { type: 'string' },
    bar: { type: 'string' },
    threads: { type: 'string' },
    seed: { type: 'string' },
    knobs: { type: 'string' },
    rows: { type: 'string' },
    costudy: { type: 'string' },
    kills: { type: 'string' },
    trials: { type: 'string' },
    workers: { type: 'boolean' },
    peer: { type: 'boolean' },
    seeds: { type: 'string' },
    tuners: { type: 'string' },
    real: { type: 'boolean' },
    models: { type: 'string' },
    trace: { type: 'string' },
  },
});
const bench = benches[positionals[0] ?? ''];
if (!bench) {
  process.stderr.write(usage);
  process.exit(2);
}
if (!values.json) console.log(`${heading()}\n`);
for await (const figure of bench({ ...values, quick: values.quick ?? false })) {
  console.log(values.json ? JSON.stringify(figure) : line(figure));
}

function heading(): string {
  return [
    'name'.padEnd(26),
    'value'.padStart(10),
    'unit'.padEnd(9),
    'peer'.padEnd(26),
    'ratio'.padStart(7),
    'bar'.padStart(6),
  ].join(' ');
}

function line(figure: Figure): string {
  const peer = figure.peer
    ? `${figure.peer} ${figure.peerValue === null || figure.peerValue === undefined ? '–' : short(figure.peerValue)}`
    : '';
  return [
    figure.name.padEnd(26),
    short(figure.value).padStart(10),
    figure.unit.padEnd(9),
    peer.padEnd(26),
    (figure.ratio === null || figure.ratio === undefined ? '' : figure.ratio.toFixed(2)).padStart(7),
    (figure.bar === undefined ? '' : String(figure.bar)).padStart(6),
    figure.ok === null ? '' : figure.ok ? 'ok' : 'short',
    figure.note ?? '',
  ]
    .join(' ')
    .trimEnd();
}

function short(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
