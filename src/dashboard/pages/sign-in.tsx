import { useEffect, useRef } from 'preact/hooks';
import { signIn } from '../api/client.ts';
import { Failure } from '../parts/messages.tsx';
import { ThemeSwitch } from '../parts/theme-switch.tsx';
import { useAttempt } from '../state/loading.ts';

/** With a role and its password; `reason`: why one is asked again. */
export function SignIn({ reason, onSignedIn }: { reason: string | undefined; onSignedIn: () => void }) {
  const { isBusy, error, attempt } = useAttempt();
  const role = useRef<HTMLInputElement>(null);
  useEffect(() => role.current?.focus(), []);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement);
    if (await attempt(() => signIn(String(given.get('role')), String(given.get('password'))))) onSignedIn();
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
