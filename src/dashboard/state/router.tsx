import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';

const listeners = new Set<() => void>();
addEventListener('popstate', () => {
  for (const listener of listeners) listener();
});

/** Goes to a page of ours without loading it again. */
function navigate(path: string): void {
  history.pushState(null, '', path);
  scrollTo(0, 0);
  for (const listener of listeners) listener();
}

/** The parts of the current path, decoded. */
export function usePath(): string[] {
  const [path, setPath] = useState(location.pathname);
  useEffect(() => {
    const listener = (): void => setPath(location.pathname);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }, []);
  return path
    .split('/')
    .filter((part) => part !== '')
    .map(decoded);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Of a row that leads somewhere by its link, which the keyboard reaches: a click anywhere in it does, too. */
export const rowLeadsTo = (path: string): { class: string; onClick(event: MouseEvent): void } => ({
  class: 'link',
  onClick(event) {
    const isOfLink = event.target instanceof Element && event.target.closest('a') !== null;
    if (!isOfLink && isPlain(event)) navigate(path);
  },
});

/** Not one that opens another tab or window. */
const isPlain = ({ metaKey, ctrlKey, shiftKey, button }: MouseEvent): boolean =>
  !metaKey && !ctrlKey && !shiftKey && button === 0;

export function Link({
  to,
  children,
  ...rest
}: {
  to: string;
  children: ComponentChildren;
  class?: string;
  current?: boolean;
}) {
  const { current, ...given } = rest;
  return (
    <a
      href={to}
      {...given}
      {...(current === true ? { 'aria-current': 'page' as const } : {})}
      onClick={(event) => {
        if (!isPlain(event)) return;
        event.preventDefault();
        navigate(to);
      }}
    >
      {children}
    </a>
  );
}
