import { useState } from 'preact/hooks';
import type { StudyAnswer } from '../../../http/routes/studies.ts';
import { post, RequestFailed } from '../../api/client.ts';
import { AskFirst } from '../../parts/ask-first.tsx';
import { Failure } from '../../parts/messages.tsx';
import { isOpen } from '../../state/study-data.ts';

/** Pause, finish and cancel, while there is something to. */
export function StudyActions({ study }: { study: StudyAnswer }) {
  const [error, setError] = useState<RequestFailed>();
  if (!isOpen(study)) return null;
  const step = (name: string) => post(`/v1/studies/${study.study}/${name}`);
  const toggle = async (): Promise<void> => {
    setError(undefined);
    try {
      await step(study.paused ? 'resume' : 'pause');
    } catch (failure) {
      setError(failure instanceof RequestFailed ? failure : undefined);
    }
  };
  return (
    <>
      <div class="actions">
        <button type="button" onClick={() => void toggle()}>
          {study.paused ? 'Resume' : 'Pause'}
        </button>
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
