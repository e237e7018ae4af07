import type { ImportanceAnswer, ReportPartAnswer } from '../../../http/charts/findings.ts';
import type { StudyAnswer } from '../../../http/routes/studies.ts';
import type { TrialAnswer } from '../../../http/routes/trials.ts';
import { ShareBars } from '../../charts/share-bars.tsx';
import { counted, decimals, duration, knobList } from '../../format.ts';
import { Shown } from '../../parts/messages.tsx';
import { Panel } from '../../parts/panel.tsx';
import { Scroll } from '../../parts/scroll.tsx';
import { useRefreshed } from '../../state/loading.ts';

const MAX_KNOBS = 12;

export interface FindingProps {
  study: StudyAnswer;
  turn: number;
}

export function Importance({ study, turn }: FindingProps) {
  const loaded = useRefreshed<{ importance: ImportanceAnswer[] }>(`/v1/studies/${study.study}/importance`, turn);
  return (
    <Panel title="Importance of knobs" size="third">
      <Shown loaded={loaded} what="importance">
        {({ importance }) => {
          const known = importance.filter((each) => each.importance !== null);
          if (known.length === 0) return <p class="caption">A family needs 8 scored trials, and knobs that vary.</p>;
          return [...new Set(known.map(({ family }) => family))].map((family) => {
            const own = known.filter((each) => each.family === family).slice(0, MAX_KNOBS);
            const most = Math.max(...own.map((each) => each.importance ?? 0));
            return (
              <div key={family} class="stack">
                <h3>
                  {family}, {counted(own[0]?.trials)} trials
                </h3>
                <ShareBars
                  label={`Importance of the knobs of ${family}`}
                  bars={own.map(({ knob, importance: share }) => ({
                    name: knob,
                    share: (share ?? 0) / most,
                    text: decimals(share, 2),
                  }))}
                />
              </div>
            );
          });
        }}
      </Shown>
    </Panel>
  );
}

const MAX_ERRORS = 100;
const noteOf = (failed: number): string =>
  failed === 1
    ? '1 trial failed'
    : `${counted(failed)} trials failed${failed > MAX_ERRORS ? `; the first ${MAX_ERRORS} are listed` : ''}`;

export function TrialErrors({ study, failed, turn }: FindingProps & { failed: number }) {
  const path = `/v1/studies/${study.study}/trials?state=failed&limit=${MAX_ERRORS}`;
  const loaded = useRefreshed<{ trials: TrialAnswer[] }>(path, turn);
  return (
    <Panel title="Errors" note={noteOf(failed)} flush>
      <Shown loaded={loaded} what="errors">
        {({ trials }) => (
          <Scroll label="Failed trials" maxHeight={320}>
            <table>
              <thead>
                <tr>
                  <th class="num">Trial</th>
                  <th>Family</th>
                  <th>Error</th>
                  <th>Knobs</th>
                </tr>
              </thead>
              <tbody>
                {trials.map((trial) => (
                  <tr key={trial.trial}>
                    <td class="num">{trial.trial}</td>
                    <td>{trial.family}</td>
                    <td>{trial.error}</td>
                    <td class="muted">{knobList(trial.knobs)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
        )}
      </Shown>
    </Panel>
  );
}

/** Where the time went. */
export function Report({ study, turn }: FindingProps) {
  const loaded = useRefreshed<{ of: number; parts: ReportPartAnswer[] }>(`/v1/studies/${study.study}/report`, turn);
  const { of = 0, parts = [] } = loaded.value ?? {};
  return (
    <Panel
      title="Report"
      note={of > parts.length ? `the longest ${counted(parts.length)} of ${counted(of)} parts` : undefined}
      flush
    >
      <Shown loaded={loaded} what="the report">
        {() => (
          <Scroll label="Parts of the study" maxHeight={320}>
            <table>
              <thead>
                <tr>
                  <th>Part</th>
                  <th class="num">Trial</th>
                  <th class="num">Time</th>
                  <th class="num">Share</th>
                  <th>Detail</th>
                </tr>
              </thead>
              <tbody>
                {parts.map(({ part, trial, seconds, share, detail }) => (
                  <tr key={`${part} ${trial}`}>
                    <td>{part}</td>
                    <td class="num">{trial ?? ''}</td>
                    <td class="num">{seconds === null ? '' : duration(seconds)}</td>
                    <td class="num">{share ?? ''}</td>
                    <td>{detail}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
        )}
      </Shown>
    </Panel>
  );
}
