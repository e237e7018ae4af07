const looks: Readonly<Record<string, string>> = {
  running: 'live',
  ready: 'live',
  loading: 'live',
  completed: 'good',
  stopped: 'good',
  failed: 'bad',
};

/** A state by its word; the mark only repeats it. */
export const StateMark = ({ state, note }: { state: string; note?: string | undefined }) => (
  <span class={`state ${looks[state] ?? ''}`}>
    {state}
    {note !== undefined && ` (${note})`}
  </span>
);
