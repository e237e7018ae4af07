import Type, { type Static } from 'typebox';
import { type HttpRoute, route } from '../route.ts';
import { studyOf } from '../routes/studies.ts';
import { nullableNumber, studyParams } from '../schemas.ts';

/** More lines cannot be told apart: of more trials, the best and an even choice of the others. */
const MAX_LINES = 1_000;
const BEST_LINES = 200;
/** Points of one line. */
const MAX_POINTS = 60;

const curvesSchema = Type.Object(
  {
    of: Type.Integer({ description: 'trials that have reports' }),
    curves: Type.Array(
      Type.Object({
        trial: Type.Integer(),
        family: Type.String(),
        epochs: Type.Array(Type.Integer()),
        scores: Type.Array(nullableNumber),
        losses: Type.Array(nullableNumber),
      }),
    ),
  },
  { $id: 'Curves' },
);

export type CurvesAnswer = Static<typeof curvesSchema>;

/** `n`: how many trials there are, `best`: a trial's place by its score, `place`: by its number. */
const chosenSql = `
  chosen as (
    select o.* from (
      select t.id, t.number, t.family, t.score, t.knobs, count(*) over () as n, row_number() over (order by t.score desc nulls last, t.number) as best,
        row_number() over (order by t.number) as place
      from rafiki.trial t where t.study_id = $1::bigint and %s) o
    where o.n <= ${MAX_LINES} or o.best <= ${BEST_LINES} or o.place % ceil(o.n::float8 / ${MAX_LINES - BEST_LINES})::bigint = 0)`;
export const chosenTrials = (where: string): string => chosenSql.replace('%s', where);

const curvesSql = `
  with ${chosenTrials('t.refits is null and t.epoch > 0')}
  select c.n::int as of, c.number as trial, c.family, array_agg(r.epoch order by r.epoch) as epochs,
    array_agg(round(r.score::numeric, 4) order by r.epoch) as scores, array_agg(round(r.loss::numeric, 4) order by r.epoch) as losses
  from chosen c cross join lateral (
    select r.*, count(*) over () as reports, row_number() over (order by r.epoch) as place from rafiki.report r where r.trial_id = c.id) r
  where r.place = r.reports or r.place % ceil(r.reports::float8 / ${MAX_POINTS})::bigint = 0
  group by c.n, c.number, c.family order by c.number`;

type CurveRow = CurvesAnswer['curves'][number] & { of: number };

export const curveRoutes = (): HttpRoute[] => [
  route({
    method: 'GET',
    path: '/v1/studies/:study/curves',
    tag: 'charts',
    summary: `Learning curves of all trials; of more than ${MAX_LINES}, the best ${BEST_LINES} and an even choice of the others`,
    params: studyParams,
    answer: curvesSchema,
    async handle({ role, params: { study } }) {
      await studyOf(role, study);
      const rows = await role.rows<CurveRow>(curvesSql, [study]);
      return { of: rows[0]?.of ?? 0, curves: rows.map(({ of: _, ...curve }) => curve) };
    },
  }),
];
