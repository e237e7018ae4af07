import { useState } from 'preact/hooks';
import type { MistakesAnswer } from '../../../http/charts/mistakes.ts';
import type { ModelInputsAnswer } from '../../../http/charts/model-inputs.ts';
import type { DatasetAnswer } from '../../../http/routes/datasets.ts';
import type { ConfusionAnswer, MetricAnswer } from '../../../http/routes/evaluation.ts';
import { post, RequestFailed } from '../../api/client.ts';
import { CalibrationPlot } from '../../charts/calibration-plot.tsx';
import { ConfusionMatrix } from '../../charts/confusion-matrix.tsx';
import { PairsPlot } from '../../charts/pairs-plot.tsx';
import { Empty, Failure, Loading } from '../../parts/messages.tsx';
import { Panel } from '../../parts/panel.tsx';
import { counted, decimals } from '../../state/format.ts';
import { useLoaded } from '../../state/loading.ts';
import { Mistakes } from './mistakes.tsx';

export interface JudgedProps {
  model: string;
  inputs: ModelInputsAnswer;
}

interface Judgement {
  source: string;
  metrics: MetricAnswer[];
  cells: ConfusionAnswer[];
  mistakes: MistakesAnswer | undefined;
}

/** Measures the model on labelled rows that the role may read: nothing is measured before it is asked for, because all rows are read. */
export function Judged({ model, inputs }: JudgedProps) {
  const datasets = useLoaded<{ datasets: DatasetAnswer[] }>('/v1/datasets?limit=1000');
  const [judgement, setJudgement] = useState<Judgement>();
  const [error, setError] = useState<RequestFailed>();
  const [isBusy, setBusy] = useState(false);
  const measure = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const source = String(new FormData(event.currentTarget as HTMLFormElement).get('source'));
    setBusy(true);
    setError(undefined);
    setJudgement(undefined);
    try {
      setJudgement(await judge(model, inputs, source));
    } catch (failure) {
      setError(failure instanceof RequestFailed ? failure : undefined);
    }
    setBusy(false);
  };
  const names = datasets.value?.datasets.map(({ name }) => name) ?? [];
  const usual = names.find((name) => name === inputs.source || name === `public.${inputs.source}`) ?? names[0];
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
              <select name="source" key={usual} defaultValue={usual}>
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
        {judgement !== undefined && <Metrics metrics={judgement.metrics} />}
      </Panel>
      {judgement !== undefined && judgement.cells.length > 0 && (
        <Panel title="Confusion matrix" size="half" note={judgement.source}>
          <ConfusionMatrix cells={judgement.cells} />
        </Panel>
      )}
      {judgement?.mistakes !== undefined && judgement.mistakes.bins.length > 0 && (
        <Panel title="Calibration" size="half" note={`${counted(judgement.mistakes.rows)} rows`}>
          <CalibrationPlot bins={judgement.mistakes.bins} />
        </Panel>
      )}
      {judgement?.mistakes !== undefined && judgement.mistakes.pairs.length > 0 && (
        <Panel title="Predicted against actual" size="half" note={`${counted(judgement.mistakes.rows)} rows`}>
          <PairsPlot pairs={judgement.mistakes.pairs} />
        </Panel>
      )}
      {judgement?.mistakes !== undefined && (
        <Mistakes found={judgement.mistakes} target={inputs.target} isNumber={inputs.output === 'number'} />
      )}
    </>
  );
}

async function judge(model: string, { output }: ModelInputsAnswer, source: string): Promise<Judgement> {
  const path = `/v1/models/${encodeURIComponent(model)}`;
  const [{ metrics }, { cells }, mistakes] = await Promise.all([
    post<{ metrics: MetricAnswer[] }>(`${path}/evaluate`, { source }),
    output === 'label' ? post<{ cells: ConfusionAnswer[] }>(`${path}/confusion`, { source }) : { cells: [] },
    output === 'boxes' ? undefined : post<MistakesAnswer>(`${path}/mistakes`, { source }),
  ]);
  return { source, metrics, cells, mistakes };
}

const Metrics = ({ metrics }: { metrics: readonly MetricAnswer[] }) => (
  <dl class="facts">
    {metrics.map(({ metric, value, low, high }) => (
      <div key={metric}>
        <dt>{metric}</dt>
        <dd class="figure">
          {Number.isInteger(value) && Math.abs(value ?? 0) > 1 ? counted(value) : decimals(value, 3)}
        </dd>
        {low !== null && (
          <dd class="muted">
            95 %: {decimals(low, 3)} – {decimals(high, 3)}
          </dd>
        )}
      </div>
    ))}
  </dl>
);
