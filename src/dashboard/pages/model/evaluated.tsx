import { useState } from 'preact/hooks';
import type { MistakesAnswer } from '../../../http/charts/mistakes.ts';
import type { ModelInputsAnswer } from '../../../http/charts/model-inputs.ts';
import type { DatasetAnswer } from '../../../http/routes/datasets.ts';
import type { ConfusionAnswer, MetricAnswer } from '../../../http/routes/evaluation.ts';
import { post } from '../../api/client.ts';
import { CalibrationPlot } from '../../charts/calibration-plot.tsx';
import { ConfusionMatrix } from '../../charts/confusion-matrix.tsx';
import { PairsPlot } from '../../charts/pairs-plot.tsx';
import { counted, significant } from '../../format.ts';
import { IntervalFact } from '../../parts/interval-fact.tsx';
import { Empty, Failure, Loading } from '../../parts/messages.tsx';
import { Panel } from '../../parts/panel.tsx';
import { useAttempt, useLoaded } from '../../state/loading.ts';
import { Mistakes } from './mistakes.tsx';

export interface EvaluatedProps {
  model: string;
  inputs: ModelInputsAnswer;
}

interface Measures {
  source: string;
  metrics: MetricAnswer[];
  cells: ConfusionAnswer[];
  mistakes: MistakesAnswer | undefined;
}

/** Measures the model on labelled rows that the role may read: nothing is measured before it is asked for, because all rows are read. */
export function Evaluated({ model, inputs }: EvaluatedProps) {
  const datasets = useLoaded<{ datasets: DatasetAnswer[] }>('/v1/datasets?limit=1000');
  const [measures, setMeasures] = useState<Measures>();
  const { isBusy, error, attempt } = useAttempt();
  const measure = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const source = String(new FormData(event.currentTarget as HTMLFormElement).get('source'));
    setMeasures(undefined);
    await attempt(async () => setMeasures(await measuresOf(model, inputs, source)));
  };
  const names = datasets.value?.datasets.map(({ name }) => name) ?? [];
  // what it was trained on is not offered: it knows the answers
  const usual = names.find((name) => name === inputs.validation_source) ?? '';
  return (
    <>
      <Panel title="How right it is">
        {datasets.error !== undefined && <Failure error={datasets.error} again={datasets.reload} />}
        {datasets.value !== undefined && names.length === 0 ? (
          <Empty title="No table that you may read.">
            <span>Upload labelled rows, or ask for SELECT on a table that has them.</span>
          </Empty>
        ) : (
          <form class="row-of" onSubmit={(event) => void measure(event)}>
            <label class="field">
              Labelled rows that it has not seen
              <select name="source" key={usual} required>
                <option value="" selected={usual === ''}>
                  Choose a table
                </option>
                {names.map((name) => (
                  <option key={name} value={name} selected={name === usual}>
                    {name}
                  </option>
                ))}
              </select>
            </label>
            <button class="main" type="submit" disabled={isBusy || names.length === 0} style={{ alignSelf: 'end' }}>
              Measure
            </button>
          </form>
        )}
        {isBusy && <Loading what="rows, and predicting each" />}
        {error !== undefined && <Failure error={error} />}
        {measures !== undefined && <Metrics metrics={measures.metrics} />}
        {measures !== undefined && <WhichRows measures={measures} isOfImages={inputs.input === 'image'} />}
      </Panel>
      {measures !== undefined && measures.cells.length > 0 && (
        <Panel title="Confusion matrix" size="half" note={measures.source}>
          <ConfusionMatrix cells={measures.cells} />
        </Panel>
      )}
      {measures?.mistakes !== undefined && measures.mistakes.bins.length > 0 && (
        <Panel title="Calibration" size="half" note={`${counted(measures.mistakes.rows)} rows`}>
          <CalibrationPlot bins={measures.mistakes.bins} />
        </Panel>
      )}
      {measures?.mistakes !== undefined && measures.mistakes.pairs.length > 0 && (
        <Panel title="Predicted against actual" size="half" note={`${counted(measures.mistakes.rows)} rows`}>
          <PairsPlot pairs={measures.mistakes.pairs} />
        </Panel>
      )}
      {measures?.mistakes !== undefined && (
        <Mistakes
          found={measures.mistakes}
          target={inputs.target}
          isNumber={inputs.output === 'number'}
          isOfImages={inputs.input === 'image'}
        />
      )}
    </>
  );
}

async function measuresOf(model: string, { output }: ModelInputsAnswer, source: string): Promise<Measures> {
  const path = `/v1/models/${encodeURIComponent(model)}`;
  const [{ metrics }, { cells }, mistakes] = await Promise.all([
    post<{ metrics: MetricAnswer[] }>(`${path}/evaluate`, { source }),
    output === 'label' ? post<{ cells: ConfusionAnswer[] }>(`${path}/confusion`, { source }) : { cells: [] },
    output === 'boxes' ? undefined : post<MistakesAnswer>(`${path}/mistakes`, { source }),
  ]);
  return { source, metrics, cells, mistakes };
}

/** Of which rows the figures are, and which of them are none to go by. */
function WhichRows({ measures: { metrics, mistakes }, isOfImages }: { measures: Measures; isOfImages: boolean }) {
  const trained = metrics.find(({ metric }) => metric === 'rows_trained_on')?.value ?? 0;
  const all = metrics.find(({ metric }) => metric === 'rows')?.value ?? 0;
  return (
    <>
      {trained > 0 && (
        <div class="message warn" role="status">
          <strong>
            It was trained on {counted(trained)} of these {counted(all)} rows.
          </strong>
          <span>
            Figures of unseen rows leave them out. The charts and mistakes below count them, and look better than it is.
          </span>
        </div>
      )}
      {mistakes !== undefined && mistakes.rows < all && (
        <p class="caption">
          Metrics{mistakes.bins.length > 0 && ' and the confusion matrix'} are of all {counted(all)} rows; the other
          charts and the mistakes of {counted(mistakes.rows)} {isOfImages ? 'images' : 'rows'} drawn from them.
        </p>
      )}
    </>
  );
}

/** A metric's name in words. */
const metricWords = (metric: string): string =>
  metric.endsWith('_unseen')
    ? `${metricWords(metric.slice(0, -'_unseen'.length))}, of unseen rows`
    : metric.replaceAll('_', ' ');

const Metrics = ({ metrics }: { metrics: readonly MetricAnswer[] }) => (
  <dl class="facts">
    {metrics.map(({ metric, value, low, high }) => (
      <div key={metric}>
        <dt>{metricWords(metric)}</dt>
        <dd class="figure">{significant(value)}</dd>
        <IntervalFact low={low} high={high} />
      </div>
    ))}
  </dl>
);
