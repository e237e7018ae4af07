import type { ComponentChildren } from 'preact';

export interface ScrollProps {
  label: string;
  /** CSS pixels. */
  maxHeight?: number;
  children: ComponentChildren;
}

/** A part that scrolls by itself, and that the keyboard reaches. */
export const Scroll = ({ label, maxHeight, children }: ScrollProps) => (
  <section
    class="scroll"
    // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys scroll what has the focus
    tabIndex={0}
    aria-label={label}
    {...(maxHeight === undefined ? {} : { style: { maxHeight: `${maxHeight}px` } })}
  >
    {children}
  </section>
);
