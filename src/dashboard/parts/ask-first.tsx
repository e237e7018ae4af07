import { useRef } from 'preact/hooks';
import { useAttempt } from '../state/loading.ts';
import { Failure } from './messages.tsx';

export interface AskFirstProps {
  label: string;
  /** What happens, before it does. */
  question: string;
  isDangerous?: boolean;
  act(): Promise<unknown>;
}

/** A button whose effect cannot be taken back, or that others notice: it asks first, in a dialog that the keyboard reaches. */
export function AskFirst({ label, question, isDangerous = false, act }: AskFirstProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const { isBusy, error, attempt, forget } = useAttempt();
  const confirm = async (): Promise<void> => {
    if (await attempt(act)) dialog.current?.close();
  };
  return (
    <>
      <button type="button" class={isDangerous ? 'danger' : ''} onClick={() => dialog.current?.showModal()}>
        {label}
      </button>
      <dialog ref={dialog} aria-label={label} onClose={forget}>
        <p>{question}</p>
        {error !== undefined && <Failure error={error} />}
        <div class="row-of">
          <button type="button" onClick={() => dialog.current?.close()}>
            Leave it
          </button>
          <button
            type="button"
            class={isDangerous ? 'danger' : 'main'}
            disabled={isBusy}
            onClick={() => void confirm()}
          >
            {label}
          </button>
        </div>
      </dialog>
    </>
  );
}
