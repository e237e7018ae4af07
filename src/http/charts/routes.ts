import type { HttpLimits } from '../limits.ts';
import type { Predictions } from '../predict/predictions.ts';
import type { HttpRoute } from '../route.ts';
import { curveRoutes } from './curves.ts';
import { findingRoutes } from './findings.ts';
import { historyRoutes } from './history.ts';
import { knobValueRoutes } from './knob-values.ts';
import { mistakeRoutes } from './mistakes.ts';
import { modelInputRoutes } from './model-inputs.ts';
import { servingRoutes } from './serving.ts';
import { utilisationRoutes } from './utilisation.ts';

/** What charts are drawn from, and what a page needs to try a model. */
export const chartRoutes = (predictions: Predictions, limits: HttpLimits): HttpRoute[] => [
  ...historyRoutes(),
  ...curveRoutes(),
  ...knobValueRoutes(),
  ...findingRoutes(),
  ...modelInputRoutes(predictions),
  ...mistakeRoutes(limits),
  ...servingRoutes(),
  ...utilisationRoutes(),
];
