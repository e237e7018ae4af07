import type { Database } from '../../src/db/database.ts';
import type { Figure } from '../figure.ts';
import { median } from './measure.ts';
import type { PredictStage } from './stage.ts';
import { adultIsMissing, loadAdult, trainOn } from './tables.ts';

/** Models of Adult: one of each family, and an ensemble of all. */
const models: Readonly<Record<string, readonly string[]>> = {
  gradient_boosting: ['gradient_boosting'],
  linear: ['linear'],
  mlp: ['mlp'],
  ensemble: ['gradient_boosting', 'mlp', 'linear'],
};

/** A row of Adult, and the probability that its answer has without an explanation. */
const query = `
  select e.parts, p.shares ->> (e.parts ->> 'class') as share
  from (select * from bench_adult where id between $2 and $3) a,
    lateral (select rafiki_explain_detail($1, a, budget => '10 s') as parts) e, lateral (select rafiki_probabilities($1, a) as shares) p`;

interface AdultExplanation {
  parts: { score: number; base: number; contributions: { contribution: number }[] };
  share: string;
}

/** Explanations of rows of Adult that no model was trained on: the time of one, and by how much they miss what they add up to. */
export async function* explainFigures({ session }: PredictStage, quick: boolean): AsyncIterable<Figure> {
  if (adultIsMissing !== undefined) {
    yield { bench: 'predict', name: 'explain', value: 0, unit: 'ms', ok: null, note: adultIsMissing };
    return;
  }
  await loadAdult(session);
  for (const [name, families] of Object.entries(models)) {
    const model = `bench_explain_${name}`;
    await trainOn(session, { model, families, knobs: {} });
    const [deployed] = await session.query<{ members: string }>(
      `select string_agg(b.family, ', ' order by b.rank) as members from rafiki.model_member b
       where b.version_id = (select max(v.id) from rafiki.model_version v join rafiki.model m on m.id = v.model_id where m.name = $1)`,
      [model],
    );
    yield* explained(session, { name, model, rows: quick ? 50 : 500, members: deployed?.members ?? '' });
  }
}

async function* explained(
  session: Database,
  { name, model, rows, members }: { name: string; model: string; rows: number; members: string },
): AsyncIterable<Figure> {
  const plain =
    'select count(*) from (select * from bench_adult where id between $2 and $3) a, rafiki_explain($1, a) e';
  await session.query(plain, [model, 9001, 9005]); // the first one loads what explanations need
  const times: number[] = [];
  for (let id = 10_001; id <= 10_000 + rows; id++) {
    const startedMs = performance.now();
    await session.query(plain, [model, id, id]);
    times.push(performance.now() - startedMs);
  }
  const value = Number(median(times).toPrecision(3));
  yield { bench: 'predict', name: `explain-${name}`, value, unit: 'ms/row', bar: 20, ok: value <= 20, note: members };
  const found = await session.query<AdultExplanation & { [key: string]: unknown }>(query, [
    model,
    10_001,
    10_000 + rows,
  ]);
  let [sums, shares] = [0, 0];
  for (const { parts, share } of found) {
    const sum = parts.contributions.reduce((total, { contribution }) => total + contribution, parts.base);
    sums = Math.max(sums, Math.abs(sum - parts.score));
    shares = Math.max(shares, Math.abs(1 / (1 + Math.exp(-sum)) - Number(share)));
  }
  const note = `${found.length} rows; and by at most ${shares.toPrecision(2)} the probability, which has four digits`;
  yield {
    bench: 'predict',
    name: `explain-${name}-sum`,
    value: sums,
    unit: 'log odds',
    bar: 1e-4,
    ok: sums <= 1e-4 && shares <= 1.01e-4,
    note,
  };
}
