import type { ExplanationAnswer } from '../../../http/charts/model-inputs.ts';
import { ShareBars } from '../../charts/share-bars.tsx';
import { significant } from '../../format.ts';
import type { Question } from './question-inputs.tsx';

const MAX_PARTS = 12;

type ExplainedPart = ExplanationAnswer['contributions'][number];

export interface ExplainedProps {
  explanation: ExplanationAnswer;
  question: Question;
}

/** What each part of the input adds to the answer. */
export function Explained({ explanation: { class: name, score, base, contributions }, question }: ExplainedProps) {
  const most = Math.max(1e-9, ...contributions.map(({ contribution }) => Math.abs(contribution)));
  const nameOf = ({ feature, value }: ExplainedPart): string =>
    question.kind === 'columns' ? `${feature} = ${String(question.query[feature] ?? 'NULL')}` : (value ?? feature);
  return (
    <div class="stack">
      <h3>{name === null ? 'What raises and lowers the number' : `What speaks for ${name}, and what against`}</h3>
      {question.kind === 'text' && <Words text={question.query} contributions={contributions} most={most} />}
      <ShareBars
        label="Contributions"
        bars={contributions.slice(0, MAX_PARTS).map((part) => ({
          name: nameOf(part),
          share: part.contribution / most,
          text: `${part.contribution > 0 ? '+' : ''}${significant(part.contribution)}`,
        }))}
      />
      <p class="caption">
        Beginning at {significant(base)}, what the answer is if nothing is known, they add up to {significant(score)}
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
  const placeOf = ({ feature }: ExplainedPart): number => Number(/\d+/.exec(feature)?.[0] ?? 0);
  let from = 0;
  for (const part of [...contributions].sort((a, b) => placeOf(a) - placeOf(b))) {
    const at = part.value === undefined ? -1 : text.indexOf(part.value, from);
    if (at < 0 || part.value === undefined) continue; // words that are not written so in the text
    from = at + part.value.length;
    marks.push({ from: at, to: from, share: part.contribution / most });
  }
  let at = 0;
  const pieces = marks.flatMap(({ from: start, to, share }) => {
    const before = text.slice(at, start);
    at = to;
    return [
      before,
      <span key={start} style={{ background: tint(share) }}>
        {text.slice(start, to)}
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
