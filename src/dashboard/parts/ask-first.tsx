import { useRef, useState } from 'preact/hooks';
import { RequestFailed } from '../api/client.ts';
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
  const [error, setError] = useState<RequestFailed>();
  const [isBusy, setBusy] = useState(false);
  const confirm = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      await act();
      dialog.current?.close();
    } catch (failure) {
      setError(failure instanceof RequestFailed ? failure : undefined);
    }
    setBusy(false);
  };
  return (
    <>
      <button type="button" class={isDangerous ? 'danger' : ''} onClick={() => dialog.current?.showModal()}>
        {label}
      </button>
      <dialog ref={dialog} aria-label={label} onClose={() => setError(undefined)}>
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
