import { parseArgs } from 'node:util';
import { InvalidParameter } from '../src/errors/errors.ts';
import { augmentBench } from './augment.ts';
import { checkBench } from './check.ts';
import { dashboardBench } from './dashboard.ts';
import { type EncoderBenchOptions, encoderBench } from './encoder.ts';
import { engineBench } from './engine.ts';
import { type EnsemblesOptions, ensemblesBench } from './ensembles.ts';
import { type FaultOptions, faultsBench } from './faults.ts';
import type { Figure } from './figure.ts';
import { floodBench } from './flood.ts';
import { type FuzzOptions, fuzzBench } from './fuzz.ts';
import { httpBench } from './http.ts';
import { imageBench } from './image.ts';
import { type JointOptions, jointBench } from './joint.ts';
import { linearBench } from './linear.ts';
import { type MinutesOptions, minutesBench } from './minutes.ts';
import { type MutantOptions, mutantsBench } from './mutants.ts';
import { type PredictBenchOptions, predictBench } from './predict.ts';
import { rowsBench } from './rows.ts';
import { type ServingBenchOptions, servingBench } from './serving.ts';
import { type ShardsOptions, shardsBench } from './shards.ts';
import { type SoakOptions, soakBench } from './soak.ts';
import { type StudyOptions, studyBench } from './study.ts';
import { type TablesOptions, tablesBench } from './tables.ts';
import { type TreesOptions, treesBench } from './trees.ts';
import { type TuningOptions, tuningBench } from './tuning.ts';
import { type WireOptions, wireBench } from './wire.ts';
import { type ZooOptions, zooBench } from './zoo.ts';

type BenchOptions = ZooOptions &
  StudyOptions &
  TablesOptions &
  EncoderBenchOptions &
  EnsemblesOptions &
  TreesOptions &
  TuningOptions &
  ServingBenchOptions &
  FaultOptions &
  ShardsOptions &
  SoakOptions &
  WireOptions &
  FuzzOptions &
  JointOptions &
  MinutesOptions &
  MutantOptions &
  PredictBenchOptions;

interface Bench {
  /** Yields its figures as they are measured. */
  run(options: BenchOptions): AsyncIterable<Figure>;
  /** Its flags in addition to `--quick` and `--json`; those with a placeholder have a value. */
  flags: readonly string[];
}

const benches: Record<string, Bench> = {
  augment: { run: augmentBench, flags: [] },
  check: { run: checkBench, flags: [] },
  dashboard: { run: dashboardBench, flags: [] },
  encoder: { run: encoderBench, flags: ['data NAME', 'seeds N'] },
  engine: { run: engineBench, flags: [] },
  ensembles: { run: ensemblesBench, flags: ['data NAME', 'seeds N'] },
  faults: { run: faultsBench, flags: ['kills N', 'only NAME'] },
  flood: { run: floodBench, flags: [] },
  fuzz: { run: fuzzBench, flags: ['seed N'] },
  http: { run: httpBench, flags: [] },
  image: { run: imageBench, flags: [] },
  joint: {
    run: jointBench,
    flags: ['workers N', 'family NAME', 'data NAME', 'knobs JSON', 'seed N', 'simulated', 'files', 'faults N'],
  },
  linear: { run: linearBench, flags: [] },
  minutes: { run: minutesBench, flags: ['data NAME', 'seeds N', 'minutes N,…'] },
  mutants: { run: mutantsBench, flags: ['seed N', 'count N', 'again'] },
  predict: {
    run: predictBench,
    flags: ['all', 'peer', 'parts', 'tables', 'explain', 'pretrained', 'profile', 'beside CLONE'],
  },
  rows: { run: rowsBench, flags: [] },
  serving: { run: servingBench, flags: ['real', 'models N', 'trace FILE', 'minutes N', 'learn FILE', 'images N'] },
  shards: { run: shardsBench, flags: ['rows N', 'workers N'] },
  soak: { run: soakBench, flags: ['hours N', 'minutes N'] },
  study: {
    run: studyBench,
    flags: ['data NAME', 'minutes N', 'validation SHARE', 'seed N', 'trials N', 'encoder PACKAGE'],
  },
  tables: { run: tablesBench, flags: ['data NAME'] },
  trees: { run: treesBench, flags: ['data NAME', 'rows N', 'threads N', 'workers N'] },
  tuning: {
    run: tuningBench,
    flags: ['costudy DATA', 'kills N', 'trials N', 'workers', 'peer', 'minutes N', 'seeds N', 'tuners NAME,…'],
  },
  wire: { run: wireBench, flags: ['seed N'] },
  zoo: {
    run: zooBench,
    flags: [
      'family NAME',
      'data NAME',
      'minutes N',
      'bar N',
      'threads N',
      'seed N',
      'team N',
      'exchange MS',
      'knobs JSON',
      'rows N',
    ],
  },
};

const [name = '', ...args] = process.argv.slice(2);
const bench = benches[name];
if (!bench) fail(`there is no bench "${name}"`);
const values = parse(bench.flags);
if (!values.json) console.log(`${heading()}\n`);
try {
  for await (const figure of bench.run(values)) console.log(values.json ? JSON.stringify(figure) : line(figure));
} catch (error) {
  if (!(error instanceof InvalidParameter)) throw error;
  fail([error.message, error.hint].join('\n'));
}

function parse(flags: readonly string[]): BenchOptions & { json: boolean } {
  const options = flags.map((flag) => {
    const [option = '', placeholder] = flag.split(' ');
    return [option, { type: placeholder === undefined ? 'boolean' : 'string' }] as const;
  });
  const always = { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } } as const;
  try {
    return parseArgs({ args, options: { ...Object.fromEntries(options), ...always } }).values as BenchOptions & {
      json: boolean;
    };
  } catch (error) {
    fail((error as Error).message);
  }
}

function fail(message: string): never {
  const usages = Object.entries(benches).map(([each, { flags }]) =>
    [`  ${each}`, ...flags.map((flag) => `[--${flag}]`)].join(' '),
  );
  process.stderr.write(`${message}\nusage: npm run -s bench -- NAME [--json] [--quick]\n${usages.join('\n')}\n`);
  process.exit(2);
}

function heading(): string {
  return [
    'name'.padEnd(26),
    'value'.padStart(10),
    'unit'.padEnd(9),
    'peer'.padEnd(26),
    'ratio'.padStart(7),
    'target'.padStart(6),
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
