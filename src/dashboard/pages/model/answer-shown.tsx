import { useState } from 'preact/hooks';
import type { ExplanationAnswer } from '../../../http/charts/model-inputs.ts';
import { ShareBars } from '../../charts/share-bars.tsx';
import { counted, decimals, milliseconds, percent, significant } from '../../format.ts';
import { Explained } from './explained.tsx';
import type { Question } from './question-inputs.tsx';

export interface PredictionAnswer {
  prediction: string | number | ShownBox[] | null;
  detail: {
    probabilities?: Record<string, number>;
    boxes?: ShownBox[];
    versions: number[];
    batch: number;
    ms: number;
    overdue: boolean;
    members?: unknown[];
    rule?: string;
  } | null;
}

interface ShownBox {
  label: string;
  score: number;
  x: number;
  y: number;
  w: number;
  h: number;
}

const MAX_CLASSES = 8;
/** Boxes below this are hidden until asked for. */
const USUAL_SCORE = 0.3;

export interface AnswerShownProps {
  question: Question;
  prediction: PredictionAnswer;
  explanation: ExplanationAnswer | null | undefined;
  target: string | null;
}

export function AnswerShown({ question, prediction: { prediction, detail }, explanation, target }: AnswerShownProps) {
  const classes = Object.entries(detail?.probabilities ?? {}).sort(([, a], [, b]) => b - a);
  return (
    <div class="stack">
      <dl class="facts" style={{ padding: '0' }}>
        <div>
          <dt>{Array.isArray(prediction) ? 'Objects' : (target ?? 'Answer')}</dt>
          <dd class="figure">
            {prediction === null
              ? 'overdue'
              : Array.isArray(prediction)
                ? counted(prediction.length)
                : typeof prediction === 'number'
                  ? significant(prediction)
                  : prediction}
          </dd>
        </div>
        {detail !== null && (
          <div>
            <dt>Answered</dt>
            <dd>
              in {milliseconds(detail.ms)} by version {detail.versions.join(', ')}
              {detail.rule !== undefined && `, ${detail.rule}`}
              {detail.members !== undefined && ` of ${counted(detail.members.length)}`}
              {detail.overdue && ', overdue'}
            </dd>
          </div>
        )}
      </dl>
      {classes.length > 0 && (
        <ShareBars
          label="Probabilities"
          bars={classes.slice(0, MAX_CLASSES).map(([name, share]) => ({ name, share, text: percent(share, 1) }))}
        />
      )}
      {question.kind === 'image' && (
        <Photo url={question.url} boxes={detail?.boxes ?? []} explanation={explanation ?? undefined} />
      )}
      {explanation != null && <Explained explanation={explanation} question={question} />}
      {explanation === null && <p class="caption">The server had no explanation in time.</p>}
    </div>
  );
}

interface PhotoProps {
  url: string;
  boxes: readonly ShownBox[];
  explanation: ExplanationAnswer | undefined;
}

/** The photo with what was found in it, or with the patches that speak for and against the answer. */
function Photo({ url, boxes, explanation }: PhotoProps) {
  const [size, setSize] = useState<{ width: number; height: number }>();
  const [least, setLeast] = useState(USUAL_SCORE);
  const shown = boxes.filter(({ score }) => score >= least);
  const most = Math.max(1e-9, ...(explanation?.contributions ?? []).map(({ contribution }) => Math.abs(contribution)));
  const unit = size === undefined ? 1 : Math.max(size.width, size.height) / 400;
  return (
    <div class="stack">
      <div class="photo">
        <img
          src={url}
          alt={boxes.length > 0 ? `the photo, with ${shown.length} objects found` : 'what was asked about'}
          onLoad={({ currentTarget }) =>
            setSize({ width: currentTarget.naturalWidth, height: currentTarget.naturalHeight })
          }
        />
        {size !== undefined && (
          <svg viewBox={`0 0 ${size.width} ${size.height}`} aria-hidden="true">
            {explanation?.contributions.map(({ feature, contribution, x = 0, y = 0, w = 0, h = 0 }) => (
              <rect
                key={feature}
                {...{ x, y, width: w, height: h }}
                fill={contribution > 0 ? '#0f9d8a' : '#d9480f'}
                opacity={0.6 * (Math.abs(contribution) / most)}
              />
            ))}
            {shown.map(({ label, score, x, y, w, h }, i) => (
              // objects have no names of their own
              <g key={i}>
                <rect
                  {...{ x, y, width: w, height: h }}
                  fill="none"
                  stroke="#000"
                  stroke-width={4 * unit}
                  opacity={0.5}
                />
                <rect {...{ x, y, width: w, height: h }} fill="none" stroke="#5cf0dc" stroke-width={2 * unit} />
                <text
                  x={x + 3 * unit}
                  y={Math.max(12 * unit, y - 4 * unit)}
                  font-size={12 * unit}
                  fill="#fff"
                  stroke="#000"
                  stroke-width={3 * unit}
                  paint-order="stroke"
                >
                  {label} {percent(score)}
                </text>
              </g>
            ))}
          </svg>
        )}
      </div>
      {boxes.length > 0 && (
        <label class="field">
          Shown from a score of {decimals(least, 2)}: {counted(shown.length)} of {counted(boxes.length)}
          <input
            type="range"
            min="0.05"
            max="0.95"
            step="0.05"
            value={least}
            onInput={({ currentTarget }) => setLeast(Number(currentTarget.value))}
          />
        </label>
      )}
    </div>
  );
}
