import { useEffect, useRef, useState } from 'preact/hooks';
import type { ServedModelAnswer } from '../../http/charts/serving.ts';
import { SeriesPlot } from '../charts/series-plot.tsx';
import { ShareBars } from '../charts/share-bars.tsx';
import { bytes, counted, milliseconds, percent } from '../format.ts';
import { CopiedSql } from '../parts/copied-sql.tsx';
import { Empty, Shown } from '../parts/messages.tsx';
import { Panel } from '../parts/panel.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { useLoaded } from '../state/loading.ts';
import { Link } from '../state/router.tsx';
import {
  latencyBoundsMs,
  quantileOf,
  type ServingPoint,
  type ServingSample,
  type ServingStep,
  sizeBounds,
  stepBetween,
} from '../state/serving-history.ts';

/** Servers write their counts every two seconds. */
const EVERY_MS = 2_000;
/** Ten minutes. */
const MAX_POINTS = 300;

/** How the role's models answer, now and since the servers started. */
export function ServingPage() {
  const loaded = useLoaded<{ models: ServedModelAnswer[] }>('/v1/serving', EVERY_MS);
  const [steps, setSteps] = useState<ServingStep[]>([]);
  const last = useRef<ServingSample>(undefined);
  const models = loaded.value?.models;
  useEffect(() => {
    if (models === undefined) return;
    const sample = { atMs: Date.now(), models };
    const step = last.current === undefined ? undefined : stepBetween(last.current, sample);
    last.current = sample;
    if (step !== undefined) setSteps((before) => [...before, step].slice(-MAX_POINTS));
  }, [models]);
  return (
    <>
      <div class="page-head">
        <h1>Serving</h1>
      </div>
      <Shown loaded={loaded} what="the servers' counts">
        {({ models: found }) => (found.length === 0 ? <NoCalls /> : <Measured models={found} steps={steps} />)}
      </Shown>
    </>
  );
}

const NoCalls = () => (
  <section class="panel" aria-label="Serving">
    <Empty title="No model of yours has been called since the servers started.">
      <span>
        Try one on the page of a <Link to="/models">model</Link>, or from SQL:
      </span>
      <CopiedSql name="the statement" sql="select rafiki_predict('model', 'a text');" />
    </Empty>
  </section>
);

function Measured({ models, steps }: { models: readonly ServedModelAnswer[]; steps: readonly ServingStep[] }) {
  const [wanted, setWanted] = useState<string>();
  const shown = models.find(({ model }) => model === wanted) ?? models[0];
  return (
    <div class="grid">
      {models.length > 1 && (
        <label class="field">
          Model of the two charts
          <select value={shown?.model} onChange={({ currentTarget }) => setWanted(currentTarget.value)}>
            {models.map(({ model }) => (
              <option key={model} value={model}>
                {model}
              </option>
            ))}
          </select>
        </label>
      )}
      {shown !== undefined && <Now model={shown} steps={steps} />}
      <Panel title="Models" note="since the servers started" flush>
        <ModelCounts models={models} />
      </Panel>
      {models.map((model) => (
        <Answering key={model.model} model={model} />
      ))}
    </div>
  );
}

/** What one model does: latencies of several have no budget in common. */
function Now({ model: { model, budget_ms }, steps }: { model: ServedModelAnswer; steps: readonly ServingStep[] }) {
  const times = steps.map(({ at }) => at);
  const values = (of: (point: ServingPoint) => number | null): (number | null)[] =>
    steps.map(({ byModel }) => {
      const point = byModel.get(model);
      return point === undefined ? null : of(point);
    });
  return (
    <>
      <Panel title={`${model}: calls and rows`} size="half" note="a second">
        <SeriesPlot
          times={times}
          unit="/s"
          label={`Calls and rows of ${model} a second`}
          series={[
            { label: 'calls', hue: 'accent', values: values(({ callsPerS }) => callsPerS) },
            { label: 'rows', hue: 'hue-3', values: values(({ rowsPerS }) => rowsPerS) },
            { label: 'overdue', hue: 'hue-2', values: values(({ overduePerS }) => overduePerS) },
            { label: 'refused', hue: 'hue-4', values: values(({ refusedPerS }) => refusedPerS) },
          ]}
        />
      </Panel>
      <Panel title={`${model}: latency of calls`} size="half" note={`default budget ${milliseconds(budget_ms)}`}>
        <SeriesPlot
          times={times}
          unit="ms"
          label={`Latency of calls of ${model}`}
          series={[
            { label: 'p50', hue: 'accent', values: values(({ p50Ms }) => p50Ms) },
            { label: 'p90', hue: 'hue-3', values: values(({ p90Ms }) => p90Ms) },
            { label: 'p99', hue: 'hue-2', values: values(({ p99Ms }) => p99Ms) },
            { label: 'default budget', hue: 'muted', isDashed: true, values: times.map(() => budget_ms) },
          ]}
        />
        <p class="caption">
          Calls that bring a budget of their own, such as evaluations and those of these pages, may take longer than the
          default and are not overdue.
        </p>
      </Panel>
    </>
  );
}

function ModelCounts({ models }: { models: readonly ServedModelAnswer[] }) {
  return (
    <Scroll label="Counts by model">
      <table>
        <thead>
          <tr>
            <th>Model</th>
            <th class="num">Calls</th>
            <th class="num">Rows</th>
            <th class="num">From cache</th>
            <th class="num">Rows a batch</th>
            <th class="num">p50</th>
            <th class="num">p90</th>
            <th class="num">p99</th>
            <th class="num">Default budget</th>
            <th class="num">Overdue</th>
            <th class="num">Refused</th>
            <th class="num">Memory</th>
          </tr>
        </thead>
        <tbody>
          {models.map((model) => (
            <CountsRow key={model.model} model={model} />
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function CountsRow({ model }: { model: ServedModelAnswer }) {
  const at = (q: number): string => milliseconds(quantileOf(model.latencies, latencyBoundsMs, q));
  const computed = (model.rows ?? 0) - (model.cached ?? 0);
  return (
    <tr>
      <td>
        <Link to={`/models/${encodeURIComponent(model.model)}`}>{model.model}</Link>
        {model.version !== null && <span class="muted"> v{model.version}</span>}
      </td>
      <td class="num">{counted(model.calls)}</td>
      <td class="num">{counted(model.rows)}</td>
      <td class="num">{percent((model.cached ?? 0) / Math.max(1, model.rows ?? 0))}</td>
      <td class="num">{model.batches ? (computed / model.batches).toFixed(1) : '–'}</td>
      <td class="num">{at(0.5)}</td>
      <td class="num">{at(0.9)}</td>
      <td class="num">{at(0.99)}</td>
      <td class="num">{milliseconds(model.budget_ms)}</td>
      <td class="num">{counted(model.overdue)}</td>
      <td class="num">{counted(model.refused)}</td>
      <td class="num">{bytes(model.memory.reduce((sum, { mb }) => sum + mb * 2 ** 20, 0))}</td>
    </tr>
  );
}

/** Of one model: sizes of its batches, the members that were chosen, and the servers that have it. */
function Answering({ model: { model, batch_sizes, members, memory } }: { model: ServedModelAnswer }) {
  const most = Math.max(1, ...batch_sizes);
  const rows = members.reduce((sum, choice) => sum + choice.rows, 0);
  const sizes = batch_sizes.map((n, i) => ({
    name:
      sizeBounds[i] === undefined
        ? `above ${sizeBounds.at(-1)}`
        : i === 0
          ? '1'
          : `${(sizeBounds[i - 1] ?? 0) + 1}–${sizeBounds[i]}`.replace(/^(\d+)–\1$/, '$1'),
    share: n / most,
    text: counted(n),
  }));
  return (
    <>
      <Panel title={`${model}: batches by rows`} size="third">
        <ShareBars
          label={`Batches of ${model} by their rows`}
          bars={sizes.filter(({ share }, i) => share > 0 || i === 0)}
        />
      </Panel>
      <Panel title={`${model}: members chosen`} size="third" note={`${counted(rows)} rows computed`}>
        <ShareBars
          label={`Rows of ${model} by the members that computed them`}
          bars={members.map((choice, i) => ({
            name: choice.members.length === 0 ? `choice ${i + 1}` : choice.members.join(' + '),
            share: choice.rows / Math.max(1, rows),
            text: percent(choice.rows / Math.max(1, rows)),
          }))}
        />
      </Panel>
      <Panel title={`${model}: memory`} size="third">
        <ShareBars
          label={`Memory of ${model} by server`}
          bars={memory.map(({ process, host, mb, loads }) => ({
            name: `${host}, process ${process}, loaded ${counted(loads)}×`,
            share: mb / Math.max(1, ...memory.map((each) => each.mb)),
            text: bytes(mb * 2 ** 20),
          }))}
        />
      </Panel>
    </>
  );
}
