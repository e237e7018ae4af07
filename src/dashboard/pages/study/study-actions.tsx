import type { StudyAnswer } from '../../../http/routes/studies.ts';
import { post } from '../../api/client.ts';
import { AskFirst } from '../../parts/ask-first.tsx';
import { Failure } from '../../parts/messages.tsx';
import { useAttempt } from '../../state/loading.ts';
import { isOpen } from '../../state/study-data.ts';

const MORE = '10 min';

/** Pause, more time, finish and cancel, while there is something to. */
export function StudyActions({ study }: { study: StudyAnswer }) {
  const { isBusy, error, attempt } = useAttempt();
  if (!isOpen(study)) return null;
  const step = (name: string, body?: object) => post(`/v1/studies/${study.study}/${name}`, body);
  return (
    <>
      <div class="actions">
        <button
          type="button"
          disabled={isBusy}
          onClick={() => void attempt(() => step(study.paused ? 'resume' : 'pause'))}
        >
          {study.paused ? 'Resume' : 'Pause'}
        </button>
        <AskFirst
          label="More time"
          question={`The study may take ${MORE} longer. What is being trained now keeps its plan; the time is for what comes after it.`}
          act={() => step('extend', { more: MORE })}
        />
        <AskFirst
          label="Finish"
          question="Running trials stop with their best epoch, and the model is made from the trials that have a score."
          act={() => step('finish')}
        />
        <AskFirst
          label="Cancel study"
          question="Its trials stop, and no model is made. To keep the best trials, finish the study instead."
          isDangerous
          act={() => step('cancel')}
        />
      </div>
      {error !== undefined && <Failure error={error} />}
    </>
  );
}
