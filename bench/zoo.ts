import type { KnobValue } from '../src/domain/hyper-space.ts';
import { type DataSet, outputOf } from '../src/domain/task.ts';
import type { TimeLeft, TrainingReport, TrainingSpec } from '../src/domain/training.ts';
import { InvalidParameter } from '../src/errors/errors.ts';
import { networkFamily } from '../src/models/registry.ts';
import { fitToTime } from '../src/training/fit-to-time.ts';
import { trainTrial } from '../src/training/train.ts';
import { MAX_STRETCH } from '../src/training/trial-time.ts';
import { MemoryTeam } from '../test/support/memory-team.ts';
import type { Figure } from './figure.ts';
import { type DataName, dataSets, isDataName, readDataSet } from './zoo/data.ts';

export interface ZooOptions {
  family?: string | undefined;
  data?: string | undefined;
  /**
   * Time of the trial on a machine without other load, CPU time divided by threads: network and schedule are fitted to it, as by a
   * worker whose study has no other trial.
   */
  minutes?: string | undefined;
  /** Target of the score; default: the one below, if any. */
  bar?: string | undefined;
  threads?: string | undefined;
  seed?: string | undefined;
  /** Workers that train the trial together, here one after the other: for scores, not for time. */
  team?: string | undefined;
  /** Milliseconds that an exchange of theirs takes, which decides how long rounds are; default: 0, the shortest rounds. */
  exchange?: string | undefined;
  /** JSON: knobs that differ from the defaults. */
  knobs?: string | undefined;
  /** Memorises as many training rows, without regularisation, and is validated on them. */
  rows?: string | undefined;
}

/** Knobs that prevent a family from memorising. */
const byHeart: Record<string, KnobValue> = {
  ...{ flip: false, shift: 0, rotation: 0, cutout: 0, colour: 0, zoom: 0, aspect: 0, mosaic: 0, word_dropout: 0 },
  ...{ dropout: 0, label_smoothing: 0, weight_decay: 1e-4 },
};

/** Targets of a family with its default knobs after the last epoch. */
const bars: Partial<Record<DataName, Record<string, number>>> = {
  cifar10: { resnet: 0.84, vgg: 0.84, squeezenet: 0.8, xception: 0.8, inception: 0.8 },
  mr: { temporal_cnn: 0.775, fasttext: 0.775, char_rnn: 0.7 },
  fruit: { yolo: 0.75, ssd: 0.7, faster_rcnn: 0.7 },
  raccoon: { yolo: 0.95, ssd: 0.95, faster_rcnn: 0.95 },
};

/** Further targets of the final weights. */
const metricBars: Partial<Record<DataName, Record<string, number>>> = { raccoon: { ap75: 0.72 } };

/** One family on one data set with its default knobs: the score of the final weights, metrics, time and epochs. */
export async function* zooBench(options: ZooOptions): AsyncIterable<Figure> {
  const { family, data, minutes, threads = '2', seed = '1', knobs = '{}' } = options;
  if (family === undefined || data === undefined || !isDataName(data)) {
    throw new InvalidParameter('bench zoo takes --family and --data', {
      hint: `Data sets: ${Object.keys(dataSets).join(', ')}.`,
    });
  }
  const reports: TrainingReport[] = [];
  const rows = options.rows === undefined ? undefined : Number(options.rows);
  const own = JSON.parse(knobs) as Record<string, KnobValue>;
  const given: TrainingSpec = {
    task: dataSets[data].task,
    family,
    knobs: rows === undefined ? own : { ...byHeart, ...own },
    seed: Number(seed),
    threads: Number(threads),
    data: rows === undefined ? readDataSet(data) : firstRows(readDataSet(data), rows),
  };
  const before = process.cpuUsage();
  const quiet = (): number => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1e6 / given.threads;
  };
  const timeLeft = (): TimeLeft => {
    const seconds = Number(minutes) * 60 - quiet();
    return { studySeconds: seconds, shareSeconds: seconds, minEpochs: 0, maxEpochs: MAX_STRETCH };
  };
  const limited = minutes !== undefined;
  const chosen = new Set(Object.keys(given.knobs));
  const { knobs: fitted, fullSeconds } = limited
    ? await fitToTime(given, { ...timeLeft(), workers: 1 }, chosen)
    : { knobs: given.knobs, fullSeconds: 0 };
  const spec = { ...given, knobs: fitted };
  const team = new MemoryTeam(spec, Number(options.team ?? '1'), Number(options.exchange ?? '0'));
  const { seconds, variants } = await trainTrial(spec, {
    team,
    onReport: async (report) => {
      reports.push(report);
      process.stderr.write(progressOf(report));
      return 'continue';
    },
    onCheckpoint: async () => undefined,
    ...(limited ? { timeLeft } : {}),
    ...(fullSeconds > 0 ? { epochSeconds: fullSeconds / networkFamily(family).recipe(fitted).epochs } : {}),
  });
  await team.end();
  if (team.rounds.length > 0) process.stderr.write(`${team.rounds.length} rounds\n`);
  const quietSeconds = quiet();
  const last = reports.at(-1);
  if (last === undefined) return;

  const name = `${family}-${data}`;
  const usual = rows === undefined ? bars[data]?.[family] : outputOf(spec.task) === 'boxes' ? 0.95 : 0.99;
  const bar = options.bar === undefined ? usual : Number(options.bar);
  yield { ...figure(`${name}-score`, last.score, ''), ...(bar === undefined ? {} : { bar }), ok: isReached(bar, last) };
  for (const [metric, value] of Object.entries(last.metrics)) {
    const min = metricBars[data]?.[metric];
    const plain = figure(`${name}-${metric}`, value, '');
    yield min === undefined ? plain : { ...plain, bar: min, ok: value >= min };
  }
  for (const { precision, score, gain } of variants) {
    yield figure(`${name}-${precision}-score`, score, '');
    yield figure(`${name}-${precision}-gain`, gain, '×');
  }
  yield figure(`${name}-quiet`, quietSeconds, 's');
  yield figure(`${name}-wall`, seconds, 's');
  yield figure(`${name}-epochs`, last.epoch, 'epochs');
}

function firstRows({ classes, train }: DataSet, rows: number): DataSet {
  const part = { inputs: train.inputs.slice(0, rows), labels: train.labels.slice(0, rows) };
  return { classes, train: part, valid: part };
}

const isReached = (bar: number | undefined, { score }: TrainingReport): boolean | null =>
  bar === undefined ? null : score >= bar;

const figure = (name: string, value: number, unit: string): Figure => ({
  bench: 'zoo',
  name,
  value: Number(value.toPrecision(4)),
  unit,
  ok: null,
});

function progressOf({ epoch, epochs, loss, score, metrics, seconds }: TrainingReport): string {
  const further = Object.entries(metrics).map(([name, value]) => `${name} ${value.toFixed(3)}`);
  const numbers = [`loss ${loss.toFixed(4)}`, `score ${score.toFixed(4)}`, ...further, `${seconds.toFixed(1)} s`];
  return `${epoch}/${epochs} ${numbers.join('  ')}\n`;
}
