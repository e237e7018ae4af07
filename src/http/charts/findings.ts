import Type, { type Static } from 'typebox';
import { type HttpRoute, route } from '../route.ts';
import { nullable, nullableNumber, nullableText, studyParams } from '../schemas.ts';

const tag = 'charts';

const importanceSchema = Type.Object({
  family: Type.String(),
  knob: Type.String(),
  importance: nullableNumber,
  trials: Type.Integer(),
});
export type ImportanceAnswer = Static<typeof importanceSchema>;

const reportPartSchema = Type.Object({
  part: Type.String(),
  trial: nullable(Type.Integer()),
  seconds: nullableNumber,
  share: nullableText,
  detail: nullableText,
});
export type ReportPartAnswer = Static<typeof reportPartSchema>;

/** The report has a line for each trial: beyond these, the leaderboard has them. */
const MAX_PARTS = 200;

export const findingRoutes = (): HttpRoute[] => [
  route({
    method: 'GET',
    path: '/v1/studies/:study/importance',
    tag,
    summary: 'Which knobs matter most, as rafiki_importance',
    params: studyParams,
    answer: Type.Object({ importance: Type.Array(importanceSchema) }),
    handle: async ({ role, params }) => ({
      importance: await role.rows<ImportanceAnswer>(
        `select i.* from ${role.api}.rafiki_importance($1::bigint) i limit 1000`,
        [params.study],
      ),
    }),
  }),
  route({
    method: 'GET',
    path: '/v1/studies/:study/report',
    tag,
    summary: 'Where the time of a study went, as rafiki_report',
    params: studyParams,
    answer: Type.Object({ of: Type.Integer(), parts: Type.Array(reportPartSchema) }),
    async handle({ role, params }) {
      const sql = `select r.*, count(*) over ()::int as of from ${role.api}.rafiki_report($1::bigint) r
        order by r.trial is not null, r.seconds desc nulls last limit ${MAX_PARTS}`;
      const rows = await role.rows<ReportPartAnswer & { of: number }>(sql, [params.study]);
      return { of: rows[0]?.of ?? 0, parts: rows.map(({ of: _, ...part }) => part) };
    },
  }),
];
