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
      importance: await role.call<ImportanceAnswer>('importance', params),
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
      const rows = await role.call<ReportPartAnswer & { of: number }>('report', { ...params, most: MAX_PARTS });
      return { of: rows[0]?.of ?? 0, parts: rows.map(({ of: _, ...part }) => part) };
    },
  }),
];
