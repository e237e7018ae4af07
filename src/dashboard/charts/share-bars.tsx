import { Fragment } from 'preact';

export interface ShareBar {
  /** Of a word that a text has twice: the same. */
  name: string;
  /** -1 to 1: of the longest bar. */
  share: number;
  text: string;
}

/** Bars with their numbers, as a list. */
export const ShareBars = ({ bars, label }: { bars: readonly ShareBar[]; label: string }) => (
  <div class="bars" role="list" aria-label={label}>
    {bars.map(({ name, share, text }, i) => (
      <Fragment key={`${i} ${name}`}>
        <span role="listitem" aria-label={`${name}: ${text}`} class="cut">
          {name}
        </span>
        <span class="track" aria-hidden="true">
          <i class={share < 0 ? 'minus' : ''} style={{ width: `${Math.min(100, 100 * Math.abs(share))}%` }} />
        </span>
        <span class="num" aria-hidden="true">
          {text}
        </span>
      </Fragment>
    ))}
  </div>
);
