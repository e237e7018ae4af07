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

/** Of trials that a chart has a line for. */
export const chartedLines = { lines: MAX_LINES, best: BEST_LINES };

type CurveRow = CurvesAnswer['curves'][number] & { of: number };

export const curveRoutes = (): HttpRoute[] => [
  route({
    method: 'GET',
    path: '/v1/studies/:study/curves',
    tag: 'charts',
    isLong: true,
    summary: `Learning curves of all trials; of more than ${MAX_LINES}, the best ${BEST_LINES} and an even choice of the others`,
    params: studyParams,
    answer: curvesSchema,
    async handle({ role, params: { study } }) {
      await studyOf(role, study);
      const rows = await role.call<CurveRow>('curves', { study, ...chartedLines, points: MAX_POINTS });
      return { of: rows[0]?.of ?? 0, curves: rows.map(({ of: _, ...curve }) => curve) };
    },
  }),
];
