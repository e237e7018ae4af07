import type { CurvesAnswer } from '../../../http/charts/curves.ts';
import type { StudyAnswer } from '../../../http/routes/studies.ts';
import { CurvePlot } from '../../charts/curve-plot.tsx';
import { HueKeys } from '../../charts/hue-keys.tsx';
import { counted } from '../../format.ts';
import { Shown } from '../../parts/messages.tsx';
import { Panel } from '../../parts/panel.tsx';
import { useRefreshed } from '../../state/loading.ts';

export interface StudyChartProps {
  study: StudyAnswer;
  families: readonly string[];
  /** Asks again when it changes. */
  turn: number;
  chosen: number | undefined;
  onPick(trial: number): void;
}

export function Curves({ study, families, turn, chosen, onPick }: StudyChartProps) {
  const loaded = useRefreshed<CurvesAnswer>(`/v1/studies/${study.study}/curves`, turn);
  const drawn = loaded.value?.curves.length ?? 0;
  const of = loaded.value?.of ?? 0;
  return (
    <Panel
      title="Learning curves"
      size="half"
      note={
        drawn < of ? (
          `${counted(drawn)} of ${counted(of)}: the best, and every few of the others`
        ) : (
          <HueKeys families={families} />
        )
      }
    >
      <Shown loaded={loaded} what="learning curves">
        {({ curves }) =>
          curves.length === 0 ? (
            <p class="caption">Nothing to draw until a trial has finished an epoch.</p>
          ) : (
            <CurvePlot curves={curves} families={families} metric={study.metric} chosen={chosen} onPick={onPick} />
          )
        }
      </Shown>
    </Panel>
  );
}
