import { useEffect, useRef, useState } from 'preact/hooks';
import { hasSession, onStorage, signOut, whenSessionChanges } from './api/client.ts';
import { ModelPage } from './pages/model/model-page.tsx';
import { Models } from './pages/models.tsx';
import { ServingPage } from './pages/serving.tsx';
import { SignIn } from './pages/sign-in.tsx';
import { Studies } from './pages/studies.tsx';
import { StudyPage } from './pages/study/study-page.tsx';
import { Workers } from './pages/workers.tsx';
import { Empty } from './parts/messages.tsx';
import { ThemeSwitch } from './parts/theme-switch.tsx';
import { useLoaded } from './state/loading.ts';
import { Link, usePath } from './state/router.tsx';

const tabs = [
  ['studies', 'Studies'],
  ['models', 'Models'],
  ['serving', 'Serving'],
  ['workers', 'Workers'],
] as const;

const Mark = () => (
  <svg viewBox="0 0 32 32" aria-hidden="true">
    <rect width="32" height="32" rx="7" fill="#0f6b64" />
    <path
      d="M6 23 12 17l5 3 9-11"
      fill="none"
      stroke="#fff"
      stroke-width="3"
      stroke-linecap="round"
      stroke-linejoin="round"
    />
    <circle cx="26" cy="9" r="2.6" fill="#fff" />
  </svg>
);

/** The page of a path, with the title of its tab. */
function pageOf([first = 'studies', second]: readonly string[]): { title: string; page: preact.ComponentChildren } {
  if (first === 'studies' && second === undefined) return { title: 'Studies', page: <Studies /> };
  if (first === 'studies' && second !== undefined && /^\d{1,15}$/.test(second))
    return { title: `Study ${second}`, page: <StudyPage key={second} study={second} /> };
  if (first === 'models' && second === undefined) return { title: 'Models', page: <Models /> };
  if (first === 'models' && second !== undefined)
    return { title: second, page: <ModelPage key={second} model={second} /> };
  if (first === 'serving') return { title: 'Serving', page: <ServingPage /> };
  if (first === 'workers') return { title: 'Workers', page: <Workers /> };
  const page = (
    <section class="panel">
      <Empty title="There is no such page.">
        <Link to="/">All studies</Link>
      </Empty>
    </section>
  );
  return { title: 'Not found', page };
}

function SignedIn({ onLeave }: { onLeave: () => void }) {
  const path = usePath();
  const me = useLoaded<{ role: string }>('/v1/me');
  const { title, page } = pageOf(path);
  const content = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  const key = path.join('/');
  // of a new page the heading is read out first
  useEffect(() => {
    document.title = `${title} · Rafiki`;
    if (isFirst.current) isFirst.current = false;
    else content.current?.focus();
  }, [key]);
  return (
    <>
      <a class="skip" href="#content">
        To the content
      </a>
      <header class="bar">
        <Link to="/" class="brand">
          <Mark />
          Rafiki
        </Link>
        <nav class="tabs" aria-label="Pages">
          {tabs.map(([name, label]) => (
            <Link key={name} to={`/${name}`} current={(path[0] ?? 'studies') === name}>
              {label}
            </Link>
          ))}
        </nav>
        <div class="who">
          <span class="muted" title="The role whose rights this page has">
            {me.value?.role}
          </span>
          <ThemeSwitch />
          <button type="button" class="plain" onClick={() => void signOut().then(onLeave)}>
            Sign out
          </button>
        </div>
      </header>
      <main id="content" ref={content} tabIndex={-1}>
        {page}
      </main>
    </>
  );
}

const reasons = {
  ended: 'Your session has ended. Sign in again.',
  'signed out': 'You have signed out in another tab.',
  'signed in': undefined,
};

/** Signed out, or in: then the pages. */
export function App() {
  const [isIn, setIn] = useState(hasSession());
  const [reason, setReason] = useState<string>();
  /** Another session has pages of its own: nothing that the role before could see stays. */
  const [session, setSession] = useState(0);
  useEffect(() => {
    whenSessionChanges((change) => {
      setReason(reasons[change]);
      setIn(hasSession());
      setSession((last) => last + 1);
    });
    addEventListener('storage', onStorage);
    return () => removeEventListener('storage', onStorage);
  }, []);
  const leave = (): void => {
    setReason(undefined);
    setIn(false);
  };
  return isIn ? <SignedIn key={session} onLeave={leave} /> : <SignIn reason={reason} onSignedIn={() => setIn(true)} />;
}
