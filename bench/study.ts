import { InvalidParameter } from '../src/errors/errors.ts';
import { type RunningRafiki, rafikiUp } from '../test/support/rafiki-up.ts';
import { addEncoder } from './encoder/add.ts';
import type { Figure } from './figure.ts';
import { loadTable } from './study/load.ts';
import { type DataName, dataSets, isDataName } from './zoo/data.ts';

export interface StudyOptions {
  data?: string | undefined;
  /** The study's max_time. */
  minutes?: string | undefined;
  /** Share of the study's rows that its trials are scored on. */
  validation?: string | undefined;
  seed?: string | undefined;
  /** The study's max_trials. */
  trials?: string | undefined;
  /** An npm package of a pretrained encoder that is added before. */
  encoder?: string | undefined;
}

/** Targets of the deployed model on held-out rows, from so many minutes on. */
const bars: Record<DataName, readonly { minutes: number; metrics: Record<string, number> }[]> = {
  mr: [{ minutes: 4, metrics: { accuracy: 0.79 } }],
  trec: [{ minutes: 4, metrics: { accuracy: 0.91 } }],
  cifar10: [
    { minutes: 20, metrics: { accuracy: 0.845 } },
    { minutes: 40, metrics: { accuracy: 0.865 } },
  ],
  fruit: [{ minutes: 15, metrics: { map50: 0.81, ap75: 0.62 } }],
  raccoon: [{ minutes: 8, metrics: { map50: 0.95, ap75: 0.7 } }],
};

/** A study over SQL with only its time set; the deployed model is scored on held-out rows. */
export async function* studyBench({
  data,
  minutes = '5',
  validation = '0.2',
  seed = '1',
  trials,
  encoder,
}: StudyOptions): AsyncIterable<Figure> {
  if (data === undefined || !isDataName(data)) {
    throw new InvalidParameter('bench study takes --data', {
      hint: `Data sets: ${Object.keys(dataSets).join(', ')}.`,
    });
  }
  const options = [
    `max_time => '${Number(minutes)} min', validation => ${Number(validation)}, seed => ${Number(seed)}`,
    ...(trials === undefined ? [] : [`max_trials => ${Number(trials)}`]),
  ];
  const { study, metrics } = await trainedStudy(data, options.join(', '), encoder);
  const figure = (name: string, value: number, unit: string): Figure => ({
    bench: 'study',
    name: `${data}-${name}`,
    value: Number(value.toPrecision(4)),
    unit,
    ok: null,
  });
  yield figure('seconds', study.seconds, 's');
  yield figure('trials', study.trials, '');
  yield { ...figure('best-trial', study.best, ''), note: 'on the rows that the study chose by' };
  yield { ...figure('ensemble', study.score, ''), note: `on the same rows: ${study.families}` };
  const targets = bars[data].filter((bar) => bar.minutes <= Number(minutes)).at(-1)?.metrics ?? {};
  for (const [metric, value] of Object.entries(metrics)) {
    const bar = targets[metric];
    const held = figure(metric, value, '');
    yield bar === undefined ? held : { ...held, bar, ok: value >= bar, note: 'on rows held out' };
  }
}

interface TrainedStudy {
  study: { trials: number; best: number; score: number; families: string; seconds: number };
  /** Of the deployed model, on held-out rows. */
  metrics: Record<string, number>;
}

/** Trains with these further arguments of `rafiki_train_wait`, on an installation of its own. */
export async function trainedStudy(data: DataName, options: string, encoder?: string): Promise<TrainedStudy> {
  const rafiki = await rafikiUp();
  try {
    if (encoder !== undefined) await addEncoder(rafiki.dataDir, encoder);
    await loadTable(rafiki.db, data, data, 'train');
    await loadTable(rafiki.db, 'held_out', data, 'valid');
    await train(rafiki, `'${dataSets[data].task}', '${data}', ${options}`);
    return await scoredStudy(rafiki, data);
  } finally {
    await rafiki.stop();
  }
}

async function train({ db }: RunningRafiki, args: string): Promise<void> {
  const session = await db.connect(() => undefined);
  session.onNotice((message) => process.stderr.write(`${message}\n`));
  try {
    await session.query(`call rafiki_train_wait(${args})`);
  } finally {
    await session.close();
  }
}

async function scoredStudy({ db }: RunningRafiki, data: DataName): Promise<TrainedStudy> {
  const [study] = await db.query<TrainedStudy['study']>(
    `select (select count(*)::int from rafiki.trial where score is not null) as trials,
       (select max(score) from rafiki.trial) as best, v.score, m.families,
       extract(epoch from s.ended_at - s.started_at)::float8 as seconds
     from rafiki.study s join rafiki.model_version v on v.study_id = s.id join rafiki.models m on m.model = s.model`,
  );
  if (study === undefined) throw new Error('the study made no model');
  const report = await db.query<{ line: string }>(
    `select concat_ws(' ', part, trial, seconds || ' s', share, detail) as line from rafiki_report(1)`,
  );
  process.stderr.write(report.map(({ line }) => `${line}\n`).join(''));
  const rows = await db.query<{ metric: string; value: number }>('select * from rafiki_evaluate($1, $2)', [
    `${data}_${dataSets[data].task}`,
    'held_out',
  ]);
  return { study, metrics: Object.fromEntries(rows.map(({ metric, value }) => [metric, value])) };
}
