import Type, { type Static } from 'typebox';
import { type HttpRoute, route } from '../route.ts';
import { studyOf } from '../routes/studies.ts';
import { nameSchema, nullableNumber, studyParams } from '../schemas.ts';
import { chosenTrials } from './curves.ts';

const knobValuesSchema = Type.Object(
  {
    of: Type.Integer({ description: 'scored trials of the family' }),
    trial: Type.Array(Type.Integer()),
    score: Type.Array(nullableNumber),
    knobs: Type.Array(
      Type.Object({
        knob: Type.String(),
        domain: Type.Record(Type.String(), Type.Unknown()),
        values: Type.Array(Type.Unknown()),
      }),
    ),
  },
  { $id: 'KnobValues' },
);

export type KnobValuesAnswer = Static<typeof knobValuesSchema>;

const valuesSql = `
  with ${chosenTrials('t.family = $2 and t.score is not null and t.refits is null')}
  select coalesce(max(c.n), 0)::int as of, coalesce(array_agg(c.number order by c.number), '{}') as trial,
    coalesce(array_agg(round(c.score::numeric, 5) order by c.number), '{}') as score,
    coalesce((select json_agg(json_build_object('knob', k.key, 'domain', k.value,
        'values', (select json_agg(c.knobs -> k.key order by c.number) from chosen c)) order by k.key)
      from rafiki.study s join rafiki.family f on f.task = s.task and f.name = $2 cross join jsonb_each(f.knobs) k
      where s.id = $1::bigint and exists (select from chosen c where c.knobs ? k.key)), '[]') as knobs
  from chosen c`;

export const knobValueRoutes = (): HttpRoute[] => [
  route({
    method: 'GET',
    path: '/v1/studies/:study/knob_values',
    tag: 'charts',
    summary: "The knobs of a family's scored trials in columns; of many trials a choice, as of curves",
    params: studyParams,
    query: Type.Object({ family: nameSchema }, { additionalProperties: false }),
    answer: knobValuesSchema,
    async handle({ role, params: { study }, query: { family } }) {
      await studyOf(role, study);
      const [row] = await role.rows<KnobValuesAnswer>(valuesSql, [study, family]);
      return row as KnobValuesAnswer;
    },
  }),
];
