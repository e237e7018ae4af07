import { useEffect, useRef, useState } from 'preact/hooks';
import { RequestFailed, signIn } from '../api/client.ts';
import { Failure } from '../parts/messages.tsx';
import { ThemeSwitch } from '../parts/theme-switch.tsx';

/** With a role and its password; `reason`: why one is asked again. */
export function SignIn({ reason, onSignedIn }: { reason: string | undefined; onSignedIn: () => void }) {
  const [error, setError] = useState<RequestFailed>();
  const [isBusy, setBusy] = useState(false);
  const role = useRef<HTMLInputElement>(null);
  useEffect(() => role.current?.focus(), []);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement);
    setBusy(true);
    setError(undefined);
    try {
      await signIn(String(given.get('role')), String(given.get('password')));
      onSignedIn();
    } catch (failure) {
      if (!(failure instanceof RequestFailed)) throw failure;
      setError(failure);
      setBusy(false);
    }
  };
  return (
    <main class="sign-in">
      <div class="page-head">
        <h1>Sign in to Rafiki</h1>
        <div class="actions">
          <ThemeSwitch />
        </div>
      </div>
      {reason !== undefined && (
        <div class="message warn" role="status">
          {reason}
        </div>
      )}
      {error !== undefined && <Failure error={error} />}
      <form onSubmit={(event) => void submit(event)}>
        <label class="field">
          Postgres role
          <input ref={role} name="role" autocomplete="username" required autocapitalize="none" spellcheck={false} />
        </label>
        <label class="field">
          Password
          <input name="password" type="password" autocomplete="current-password" required />
        </label>
        <button class="main" type="submit" disabled={isBusy}>
          {isBusy ? 'Signing in …' : 'Sign in'}
        </button>
      </form>
      <p class="muted">
        You see and do what this role may in the database. <code>rafiki up</code> prints the file that has the role of
        its own database with the password.
      </p>
    </main>
  );
}
