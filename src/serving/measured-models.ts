import type { Measured } from '../runtime/measured.ts';
import type { PredictStat } from './predict-stat.ts';
import type { ServedModel } from './served-model.ts';

interface Count {
  name: string;
  help: string;
  kind?: 'gauge';
  of(stat: PredictStat, model: ServedModel): number;
}

const counts: readonly Count[] = [
  { name: 'rafiki_predict_calls_total', help: 'Answered calls.', of: ({ calls }) => calls },
  {
    name: 'rafiki_predict_rows_total',
    help: 'Answered rows, prefetched and cached ones included.',
    of: ({ rows }) => rows,
  },
  {
    name: 'rafiki_predict_cached_rows_total',
    help: 'Rows that were answered from the cache, prefetched ones included.',
    of: ({ cached }) => cached,
  },
  { name: 'rafiki_predict_batches_total', help: 'Batches that were computed.', of: ({ batches }) => batches },
  {
    name: 'rafiki_predict_overdue_calls_total',
    help: 'Calls that were answered after their latency budget.',
    of: ({ overdue }) => overdue,
  },
  {
    name: 'rafiki_predict_cold_rows_total',
    help: 'Rows that were requested while the model was not in memory.',
    of: ({ cold }) => cold,
  },
  { name: 'rafiki_model_loads_total', help: 'Times that the model was loaded into memory.', of: ({ loads }) => loads },
  {
    name: 'rafiki_model_memory_bytes',
    help: 'Memory of the loaded model.',
    kind: 'gauge',
    of: ({ bytes }) => bytes,
  },
  {
    name: 'rafiki_predict_queued_rows',
    help: 'Rows that wait for a batch.',
    kind: 'gauge',
    of: (_, { batcher }) => batcher.queued.demanded,
  },
];

/** The counts of the models that answer now. Versions have the counts of their model. */
export function measuredModels(models: readonly ServedModel[]): Measured[] {
  const labelsOf = ({ row }: ServedModel): Record<string, string> => ({
    model: row.model,
    model_id: String(row.modelId),
    version: String(row.version),
  });
  return [
    ...counts.map(
      ({ name, help, kind = 'counter' as const, of }): Measured => ({
        ...{ name, help, kind },
        values: models.map((model) => ({ labels: labelsOf(model), value: of(model.stat, model) })),
      }),
    ),
    {
      name: 'rafiki_predict_call_duration_seconds',
      help: 'Time from the arrival of a call to its answer.',
      kind: 'histogram',
      values: models.map((model) => ({ labels: labelsOf(model), value: model.stat.latency.sum })),
      buckets: models.map(({ stat }) => stat.latency.buckets()),
    },
  ];
}
