import { InvalidParameter } from '../src/errors/errors.ts';
import { type RunningRafiki, rafikiUp } from '../test/support/rafiki-up.ts';
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
}

/** Targets of the deployed model on held-out rows. */
const bars: Record<DataName, Record<string, number>> = {
  mr: { accuracy: 0.79 },
  trec: { accuracy: 0.91 },
  cifar10: { accuracy: 0.86 },
  fruit: { map50: 0.8, ap75: 0.6 },
  raccoon: { map50: 0.95, ap75: 0.72 },
};

/** A study over SQL with only its time set; the deployed model is scored on held-out rows. */
export async function* studyBench({
  data,
  minutes = '5',
  validation = '0.2',
  seed = '1',
}: StudyOptions): AsyncIterable<Figure> {
  if (data === undefined || !isDataName(data)) {
    throw new InvalidParameter('bench study takes --data', {
      hint: `Data sets: ${Object.keys(dataSets).join(', ')}.`,
    });
  }
  const rafiki = await rafikiUp();
  try {
    await loadTable(rafiki.db, data, data, 'train');
    await loadTable(rafiki.db, 'held_out', data, 'valid');
    const options = `max_time => '${Number(minutes)} min', validation => ${Number(validation)}, seed => ${Number(seed)}`;
    await train(rafiki, `'${dataSets[data].task}', '${data}', ${options}`);
    yield* scoreDeployed(rafiki, data);
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

async function* scoreDeployed({ db }: RunningRafiki, data: DataName): AsyncIterable<Figure> {
  const figure = (name: string, value: number, unit: string): Figure => ({
    bench: 'study',
    name: `${data}-${name}`,
    value: Number(value.toPrecision(4)),
    unit,
    ok: null,
  });
  const [study] = await db.query<{ trials: number; best: number; score: number; families: string; seconds: number }>(
    `select (select count(*)::int from rafiki.trial where score is not null) as trials,
       (select max(score) from rafiki.trial) as best, v.score, m.families,
       extract(epoch from s.ended_at - s.started_at)::float8 as seconds
     from rafiki.study s join rafiki.model_version v on v.study_id = s.id join rafiki.models m on m.model = s.model`,
  );
  if (study === undefined) throw new Error('the study made no model');
  yield figure('seconds', study.seconds, 's');
  yield figure('trials', study.trials, '');
  yield { ...figure('best-trial', study.best, ''), note: 'on the rows that the study chose by' };
  yield { ...figure('ensemble', study.score, ''), note: `on the same rows: ${study.families}` };
  const metrics = await db.query<{ metric: string; value: number }>('select * from rafiki_evaluate($1, $2)', [
    `${data}_${dataSets[data].task}`,
    'held_out',
  ]);
  for (const { metric, value } of metrics) {
    const bar = bars[data][metric];
    const held = figure(metric, value, '');
    yield bar === undefined ? held : { ...held, bar, ok: value >= bar, note: 'on rows held out' };
  }
}
