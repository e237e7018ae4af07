import { useEffect, useMemo, useState } from 'preact/hooks';
import type { StudyAnswer } from '../../../http/routes/studies.ts';
import { HueKeys } from '../../charts/hue-keys.tsx';
import { ScorePlot } from '../../charts/score-plot.tsx';
import { TimelinePlot } from '../../charts/timeline-plot.tsx';
import { counted } from '../../format.ts';
import { LiveMark } from '../../parts/live-mark.tsx';
import { Empty, Failure, Loading } from '../../parts/messages.tsx';
import { Panel } from '../../parts/panel.tsx';
import { StateMark } from '../../parts/state-mark.tsx';
import { Link } from '../../state/router.tsx';
import { isOpen, useSlowTurn, useStudyData } from '../../state/study-data.ts';
import { bestSoFar, familiesOf, type TrialColumns } from '../../state/trial-history.ts';
import { Curves } from './curves.tsx';
import { Importance, Report, TrialErrors } from './findings.tsx';
import { Knobs } from './knobs.tsx';
import { Leaderboard } from './leaderboard.tsx';
import { StudyActions } from './study-actions.tsx';
import { StudyFacts } from './study-facts.tsx';

const SLOW_MS = 3_000;
const TICK_MS = 1_000;

/** One study, live while it runs. */
export function StudyPage({ study: id }: { study: string }) {
  const { study, history, turn, stream, error, again } = useStudyData(id);
  return (
    <>
      <div class="page-head">
        <span class="crumb">
          <Link to="/studies">Studies</Link>
        </span>
        <h1>
          Study {id}
          {study !== undefined && `: ${study.model}`}
        </h1>
        {study !== undefined && <StateMark state={study.state} note={study.paused ? 'paused' : undefined} />}
        {study !== undefined && isOpen(study) && <LiveMark state={stream} />}
        {study !== undefined && <StudyActions study={study} />}
      </div>
      {error !== undefined && <Failure error={error} again={again} />}
      {study === undefined && error === undefined && <Loading what="the study" />}
      {study?.error != null && (
        <Failure error={{ ...study.error, message: study.error.message ?? 'the study failed' }} />
      )}
      {study?.notice != null && study.error === null && <div class="message warn">{study.notice}</div>}
      {study !== undefined && <StudyFacts study={study} history={history} />}
      {study !== undefined && history !== undefined && <Charts study={study} history={history} turn={turn} />}
    </>
  );
}

/** Seconds since the study was created, each second while it runs. */
function useNow(study: StudyAnswer): number {
  const secondsNow = (): number => (Date.now() - Date.parse(study.created_at)) / 1000;
  const [now, setNow] = useState(secondsNow);
  const isRunning = isOpen(study);
  useEffect(() => {
    if (!isRunning) return;
    const timer = window.setInterval(() => setNow(secondsNow()), TICK_MS);
    return () => window.clearInterval(timer);
  }, [isRunning]);
  return now;
}

function Charts({ study, history, turn }: { study: StudyAnswer; history: TrialColumns; turn: number }) {
  const [chosen, choose] = useState<number>();
  const [order, setOrder] = useState<'best' | 'number'>('best');
  const pick = (trial: number): void => choose((last) => (last === trial ? undefined : trial));
  const slow = useSlowTurn(turn, SLOW_MS);
  const families = useMemo(() => familiesOf(history).join('\n'), [history]);
  const names = useMemo(() => (families === '' ? [] : families.split('\n')), [families]);
  const best = useMemo(() => bestSoFar(history), [history]);
  const now = useNow(study);
  const scored = useMemo(() => history.score.filter((score) => score !== null).length, [history]);
  const failed = useMemo(() => history.state.filter((state) => state === 'failed').length, [history]);
  if (history.trial.length === 0) return <NoTrials study={study} />;
  return (
    <div class="grid">
      <Panel title="Best score so far" size="half" note={`${counted(scored)} scored`}>
        {scored === 0 ? (
          <Waiting what="trial has a score" />
        ) : (
          <ScorePlot data={best} metric={study.metric} chosen={chosen} onPick={pick} />
        )}
      </Panel>
      <Curves study={study} families={names} turn={slow} chosen={chosen} onPick={pick} />
      <Knobs study={study} families={names} turn={slow} chosen={chosen} onPick={pick} />
      <Importance study={study} turn={slow} />
      <Panel title="Timeline by worker" size="wide" note={<HueKeys families={names} />}>
        <TimelinePlot history={history} families={names} nowS={now} chosen={chosen} onPick={pick} />
      </Panel>
      <Panel
        title="Leaderboard"
        flush
        note={
          <label class="row-of">
            Order{' '}
            <select
              value={order}
              style={{ width: 'auto' }}
              onChange={({ currentTarget }) => setOrder(currentTarget.value === 'number' ? 'number' : 'best')}
            >
              <option value="best">best first</option>
              <option value="number">by number</option>
            </select>
          </label>
        }
      >
        <Leaderboard
          key={order}
          study={study.study}
          total={history.trial.length}
          turn={turn}
          order={order}
          chosen={chosen}
          onPick={pick}
          onMove={choose}
        />
      </Panel>
      {failed > 0 && <TrialErrors study={study} failed={failed} turn={slow} />}
      <Report study={study} turn={slow} />
    </div>
  );
}

const Waiting = ({ what }: { what: string }) => <p class="caption">Nothing to draw until a {what}.</p>;

const NoTrials = ({ study }: { study: StudyAnswer }) => (
  <section class="panel" aria-label="Trials">
    {isOpen(study) ? (
      <Empty title="No trial has begun.">
        <span>A coordinator plans trials within seconds, and a worker takes each when it is free.</span>
        <span>
          If nothing happens, look whether both run: <Link to="/workers">workers</Link>.
        </span>
      </Empty>
    ) : (
      <Empty title="This study had no trials." />
    )}
  </section>
);
