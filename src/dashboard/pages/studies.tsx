import { useState } from 'preact/hooks';
import type { StudyAnswer } from '../../http/routes/studies.ts';
import { getJson } from '../api/client.ts';
import { ago, counted, decimals, moment } from '../format.ts';
import { CopiedSql } from '../parts/copied-sql.tsx';
import { LiveMark } from '../parts/live-mark.tsx';
import { Empty, Failure, Loading } from '../parts/messages.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { StateMark } from '../parts/state-mark.tsx';
import { useAttempt } from '../state/loading.ts';
import { Link, rowLeadsTo } from '../state/router.tsx';
import { useEvents } from '../state/streams.ts';
import { STUDY_PAGE, withNewest, withOlder } from '../state/study-list.ts';

/** All studies of the role, the newest first; those that run change as they do. */
export function Studies() {
  const [studies, setStudies] = useState<StudyAnswer[]>();
  const [hasMore, setMore] = useState(true);
  const { state, error } = useEvents('/v1/studies/events', (data) => {
    const { studies: newest } = data as { studies: StudyAnswer[] };
    setStudies((last = []) => withNewest(last, newest));
    return { isLast: false };
  });
  const { isBusy, error: olderError, attempt } = useAttempt();
  const more = (): Promise<boolean> =>
    attempt(async () => {
      const path = `/v1/studies?limit=${STUDY_PAGE}&offset=${studies?.length ?? 0}`;
      const { studies: older } = await getJson<{ studies: StudyAnswer[] }>(path);
      setStudies((last = []) => withOlder(last, older));
      setMore(older.length === STUDY_PAGE);
    });
  return (
    <>
      <div class="page-head">
        <h1>Studies</h1>
        <LiveMark state={state} />
      </div>
      {error !== undefined && <Failure error={error} />}
      <section class="panel" aria-label="Studies">
        {studies === undefined && error === undefined && <Loading what="studies" />}
        {studies?.length === 0 && <NoStudies />}
        {studies !== undefined && studies.length > 0 && (
          <Scroll label="Table of studies">
            <table>
              <thead>
                <tr>
                  <th class="num key">Study</th>
                  <th>Model</th>
                  <th>State</th>
                  <th>Trials</th>
                  <th class="num">Best score</th>
                  <th>Task</th>
                  <th>Source</th>
                  <th>Created</th>
                </tr>
              </thead>
              <tbody>
                {studies.map((study) => (
                  <Row key={study.study} study={study} />
                ))}
              </tbody>
            </table>
          </Scroll>
        )}
      </section>
      {olderError !== undefined && <Failure error={olderError} />}
      {(studies?.length ?? 0) >= STUDY_PAGE && hasMore && (
        <div>
          <button type="button" disabled={isBusy} onClick={() => void more()}>
            Show older studies
          </button>
        </div>
      )}
    </>
  );
}

function Row({ study }: { study: StudyAnswer }) {
  const note = study.error?.message ?? study.notice;
  return (
    <tr {...rowLeadsTo(`/studies/${study.study}`)}>
      <td class="num">
        <Link to={`/studies/${study.study}`}>{study.study}</Link>
      </td>
      <td>
        {study.model}
        {study.version !== null && <span class="muted"> v{study.version}</span>}
      </td>
      <td>
        <StateMark state={study.state} />
        {note !== null && note !== undefined && <span class="sub cut">{note}</span>}
      </td>
      <td class="nowrap">
        <Progress done={study.done} total={study.total} />{' '}
        <span class="muted">
          {counted(study.done)} of {counted(study.total)}
        </span>
      </td>
      <td class="num">
        {decimals(study.best, 3)} <span class="muted">{study.metric}</span>
      </td>
      <td class="nowrap">{study.task}</td>
      <td>{study.source ?? <span class="muted">–</span>}</td>
      <td class="nowrap" title={moment(study.created_at)}>
        {ago(study.created_at)}
      </td>
    </tr>
  );
}

const Progress = ({ done, total }: { done: number; total: number }) => (
  <span class="progress" aria-hidden="true">
    <i style={{ width: `${Math.min(100, (100 * done) / Math.max(1, total))}%` }} />
  </span>
);

const NoStudies = () => (
  <Empty title="No study yet.">
    <span>A study tries knobs of models on the rows of a table, and keeps the best. Start one from SQL:</span>
    <CopiedSql
      name="the statement"
      sql={"select rafiki_train('text_classification', 'reviews', max_time => '5 min');"}
    />
    <span>It appears here as soon as the transaction commits.</span>
  </Empty>
);
