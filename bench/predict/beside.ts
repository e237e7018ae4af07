import type { Database } from '../../src/db/database.ts';
import type { Figure } from '../figure.ts';
import { calls, hasPgbench } from './clients.ts';
import { byTurns, compare, freshTable, roundsOf, timed } from './measure.ts';
import { timerFunction } from './one-call.ts';
import { allScans } from './scans.ts';
import { models, type PredictStage } from './stage.ts';

/** Maximum of the geometric mean of all lines, and of each of them. */
const MEAN_BAR = 1.05;
const LINE_BAR = 1.15;
/** Calls of one round of single calls. */
const CALLS = 1000;
/** Rounds of each build that do not count: their servers' JavaScript is slow until it is compiled. */
const WARM_UP = 10;

/** Milliseconds of one round on a stage. */
type Measure = (stage: PredictStage, round: number) => Promise<number>;

/** Two builds of rafiki that run concurrently on one machine and get calls alternately, so that other load affects both. */
export async function* besideFigures(own: PredictStage, other: PredictStage, quick: boolean): AsyncIterable<Figure> {
  for (const { session } of [own, other]) {
    await session.query(timerFunction);
    for (let round = 0; round < WARM_UP; round++) await single(session, unseenText(-round));
  }
  const rounds = Math.max(roundsOf(quick), 4);
  const ratios: number[] = [];
  for (const [name, measure] of await measures(quick)) {
    const times = { own: [] as number[], other: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      for (const which of round % 2 === 0 ? (['own', 'other'] as const) : (['other', 'own'] as const))
        times[which].push(await measure(which === 'own' ? own : other, round));
    }
    const figure = compare(name, { ...byTurns(times.own, times.other), peer: 'the other build', bar: LINE_BAR });
    ratios.push(figure.ratio as number);
    yield figure;
  }
  const mean = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
  yield compare('predict-mean', { value: mean, unit: '', peer: 'geometric', peerValue: 1, bar: MEAN_BAR });
}

async function measures(quick: boolean): Promise<[string, Measure][]> {
  return [
    ['predict-one', ({ session }, round) => single(session, unseenText(round))],
    ['predict-one-seen', ({ session }) => single(session, `'w1 w20 w300 positive4'`)],
    ...allScans.map(({ name, rows, sql, before, after }): [string, Measure] => [
      name,
      async ({ session }, round) => {
        await freshTable(session, `${name} ${round}`, rows);
        if (before !== undefined) await session.query(before);
        const ms = await timed(session, sql);
        if (after !== undefined) await session.query(after);
        return ms;
      },
    ]),
    ...((await hasPgbench()) ? [['predict-clients-32', ({ url }) => many(url, quick)] as [string, Measure]] : []),
  ];
}

/** A new text, as an expression of the number of the call. */
const unseenText = (round: number): string => `'w1 w20 w300 positive4 ${round} ${performance.now()} ' || $1`;

/** Of a median call. */
async function single(session: Database, text: string): Promise<number> {
  const [row] = await session.query<{ us: number[] }>('select pg_temp.bench_us($1, $2) as us', [
    `select rafiki_predict('${models.fasttext}', ${text}) where $1 > 0`,
    CALLS,
  ]);
  const sorted = [...(row?.us ?? [])].sort((a, b) => a - b);
  return (sorted[CALLS / 2] ?? Number.NaN) / 1000;
}

/** Of one call, with 32 concurrent sessions. */
async function many(url: string, quick: boolean): Promise<number> {
  const { perSecond } = await calls(url, (text) => `rafiki_predict('${models.temporal_cnn}', ${text})`, {
    clients: 32,
    seconds: quick ? 2 : 3,
    warmUp: 1,
  });
  return 1000 / perSecond;
}
