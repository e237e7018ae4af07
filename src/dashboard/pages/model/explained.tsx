import type { ExplanationAnswer } from '../../../http/charts/model-inputs.ts';
import { ShareBars } from '../../charts/share-bars.tsx';
import { decimals } from '../../state/format.ts';
import type { Question } from './question-inputs.tsx';

const MAX_PARTS = 12;

export interface ExplainedProps {
  explanation: ExplanationAnswer;
  question: Question;
}

/** What each part of the input adds to the answer. */
export function Explained({ explanation: { class: name, score, base, contributions }, question }: ExplainedProps) {
  const most = Math.max(1e-9, ...contributions.map(({ contribution }) => Math.abs(contribution)));
  const nameOf = (feature: string): string =>
    question.kind === 'columns' ? `${feature} = ${String(question.query[feature] ?? 'NULL')}` : feature;
  return (
    <div class="stack">
      <h3>{name === null ? 'What adds to the number' : `What speaks for ${name}`}, and what against</h3>
      {question.kind === 'text' && <Words text={question.query} contributions={contributions} most={most} />}
      <ShareBars
        label="Contributions"
        bars={contributions.slice(0, MAX_PARTS).map(({ feature, contribution }) => ({
          name: nameOf(feature),
          share: contribution / most,
          text: `${contribution > 0 ? '+' : ''}${decimals(contribution, 2)}`,
        }))}
      />
      <p class="caption">
        Beginning at {decimals(base, 2)}, what the answer is if nothing is known, they add up to {decimals(score, 2)}
        {name !== null && ', the log odds of the class'}.
        {contributions.length > MAX_PARTS && ` The largest ${MAX_PARTS} of ${contributions.length} are shown.`}
      </p>
    </div>
  );
}

interface WordsProps {
  text: string;
  contributions: ExplanationAnswer['contributions'];
  most: number;
}

/** The text, each explained part on a ground whose strength says how much it adds. */
function Words({ text, contributions, most }: WordsProps) {
  const marks: { from: number; to: number; share: number }[] = [];
  for (const { feature, contribution } of contributions) {
    // each part stands where it is first found outside the parts before it
    let from = text.indexOf(feature);
    while (from >= 0 && marks.some((mark) => from < mark.to && from + feature.length > mark.from))
      from = text.indexOf(feature, from + 1);
    if (from >= 0) marks.push({ from, to: from + feature.length, share: contribution / most });
  }
  marks.sort((a, b) => a.from - b.from);
  let at = 0;
  const pieces = marks.flatMap(({ from, to, share }) => {
    const before = text.slice(at, from);
    at = to;
    return [
      before,
      <span key={from} style={{ background: tint(share) }}>
        {text.slice(from, to)}
      </span>,
    ];
  });
  return (
    <p class="words" style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
      {pieces}
      {text.slice(at)}
    </p>
  );
}

const tint = (share: number): string =>
  `color-mix(in srgb, var(${share > 0 ? '--hue-1' : '--hue-2'}) ${Math.round(35 * Math.abs(share))}%, transparent)`;
