import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

export interface PanelProps {
  title: string;
  /** At the right of the title. */
  note?: ComponentChildren;
  /** Columns of the grid that it takes; default: all. */
  size?: 'half' | 'third' | 'wide' | undefined;
  /** Without padding, for tables. */
  flush?: boolean;
  children: ComponentChildren;
}

/** A part of a page with a heading. */
export function Panel({ title, note, size, flush = false, children }: PanelProps) {
  const id = useId();
  return (
    <section class={`panel ${size ?? ''}`} aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {note !== undefined && <span class="note">{note}</span>}
      </header>
      <div class={flush ? 'body flush' : 'body'}>{children}</div>
    </section>
  );
}
