import type { StudyAnswer } from '../../../http/routes/studies.ts';
import { counted, decimals, duration, moment, secondsOf } from '../../format.ts';
import { isOpen } from '../../state/study-data.ts';
import type { TrialColumns } from '../../state/trial-history.ts';

export function StudyFacts({ study, history }: { study: StudyAnswer; history: TrialColumns | undefined }) {
  const lasted =
    study.ended_at === null ? undefined : (Date.parse(study.ended_at) - Date.parse(study.created_at)) / 1000;
  const of = (state: string): number | undefined => history?.state.filter((each) => each === state).length;
  return (
    <section class="panel" aria-label="Overview">
      <dl class="facts">
        <div>
          <dt>Best {study.metric}</dt>
          <dd class="figure">{decimals(study.best, 3)}</dd>
        </div>
        <div>
          <dt>Trials done</dt>
          <dd class="figure">
            {counted(study.done)} <span class="muted">/ {counted(study.total)}</span>
          </dd>
        </div>
        <div>
          <dt>{isOpen(study) ? 'Time left' : 'Took'}</dt>
          <dd class="figure">{duration(isOpen(study) ? secondsOf(study.eta) : lasted)}</dd>
        </div>
        <div>
          <dt>Running, stopped early, failed</dt>
          <dd>
            {counted(study.running)} · {counted(of('stopped'))} · {counted(of('failed'))}
          </dd>
        </div>
        <div>
          <dt>Task</dt>
          <dd>{study.task}</dd>
        </div>
        <div>
          <dt>Source</dt>
          <dd>{study.source ?? '–'}</dd>
        </div>
        <div>
          <dt>Model version</dt>
          <dd>{study.version === null ? '–' : `${study.model} v${study.version}`}</dd>
        </div>
        <div>
          <dt>Created</dt>
          <dd>{moment(study.created_at)}</dd>
        </div>
      </dl>
      {isOpen(study) && study.plan !== null && <p class="facts muted">{study.plan}</p>}
    </section>
  );
}
