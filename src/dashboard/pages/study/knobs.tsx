import { useMemo, useState } from 'preact/hooks';
import type { KnobValuesAnswer } from '../../../http/charts/knob-values.ts';
import { knobAxis } from '../../charts/knob-scale.ts';
import { ParallelPlot } from '../../charts/parallel-plot.tsx';
import { SlicePlot } from '../../charts/slice-plot.tsx';
import { counted } from '../../format.ts';
import { Shown } from '../../parts/messages.tsx';
import { Panel } from '../../parts/panel.tsx';
import { useRefreshed } from '../../state/loading.ts';
import type { StudyChartProps } from './curves.tsx';

/** What each knob did to the score, of one family at a time: families have knobs of their own. */
export function Knobs({ study, families, turn, chosen, onPick }: StudyChartProps) {
  const [wanted, setWanted] = useState<string>();
  const family = wanted ?? families[0] ?? '';
  const loaded = useRefreshed<KnobValuesAnswer>(
    `/v1/studies/${study.study}/knob_values?family=${encodeURIComponent(family)}`,
    turn,
  );
  const axes = useMemo(
    () => (loaded.value?.knobs ?? []).map(knobAxis).filter((axis) => axis !== undefined),
    [loaded.value],
  );
  const drawn = loaded.value?.trial.length ?? 0;
  const of = loaded.value?.of ?? 0;
  const note = (
    <span class="row-of">
      {drawn < of && `${counted(drawn)} of ${counted(of)} trials`}
      {families.length > 1 && (
        <label class="row-of">
          Family{' '}
          <select
            value={family}
            style={{ width: 'auto' }}
            onChange={({ currentTarget }) => setWanted(currentTarget.value)}
          >
            {families.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
      )}
    </span>
  );
  return (
    <>
      <Panel title="Knobs in parallel coordinates" note={note}>
        <Shown loaded={loaded} what="knobs">
          {({ trial, score }) =>
            axes.length === 0 ? (
              <p class="caption">
                {trial.length < 2
                  ? `Nothing to compare until two trials of ${family} have a score.`
                  : `No knob of ${family} varied.`}
              </p>
            ) : (
              <ParallelPlot
                axes={axes}
                trials={trial}
                scores={score}
                metric={study.metric}
                chosen={chosen}
                onPick={onPick}
              />
            )
          }
        </Shown>
      </Panel>
      {loaded.value !== undefined && axes.length > 0 && (
        <Panel title="Score by knob" note={families.length > 1 ? family : undefined}>
          <div class="slices">
            {axes.map((axis) => (
              <SlicePlot
                key={axis.knob}
                axis={axis}
                scores={loaded.value?.score ?? []}
                metric={study.metric}
                chosen={chosen === undefined ? -1 : (loaded.value?.trial.indexOf(chosen) ?? -1)}
              />
            ))}
          </div>
        </Panel>
      )}
    </>
  );
}
