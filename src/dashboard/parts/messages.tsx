import type { ComponentChildren } from 'preact';
import { sentence } from '../format.ts';
import type { LoadedValue } from '../state/loading.ts';

/** Of a request that failed, or a study. */
export interface Reason {
  message: string;
  detail?: string | null | undefined;
  hint?: string | null | undefined;
}

/** What went wrong, and what to do. */
export function Failure({ error, again }: { error: Reason; again?: (() => void) | undefined }) {
  return (
    <div class="message bad" role="alert">
      <strong>{sentence(error.message)}</strong>
      {error.detail != null && <span>{error.detail}</span>}
      {error.hint != null && <span class="muted">{error.hint}</span>}
      {again !== undefined && (
        <div>
          <button type="button" onClick={again}>
            Try again
          </button>
        </div>
      )}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <strong>{title}</strong>
      {children}
    </div>
  );
}

export const Loading = ({ what }: { what: string }) => (
  <div class="loading" role="status">
    <span class="spin" aria-hidden="true" />
    Loading {what} …
  </div>
);

/** The value, or why there is none yet; a value that could not be refreshed stays, under the reason. */
export function Shown<T>({
  loaded,
  what,
  children,
}: {
  loaded: LoadedValue<T>;
  what: string;
  children: (value: T) => ComponentChildren;
}) {
  const { value, error, reload } = loaded;
  return (
    <>
      {error !== undefined && <Failure error={error} again={reload} />}
      {value !== undefined ? children(value) : error === undefined && <Loading what={what} />}
    </>
  );
}
