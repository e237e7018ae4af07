import type { MistakesAnswer } from '../../../http/charts/mistakes.ts';
import { counted, percent, significant } from '../../format.ts';
import { Empty } from '../../parts/messages.tsx';
import { Panel } from '../../parts/panel.tsx';
import { Scroll } from '../../parts/scroll.tsx';

const SHOWN_COLUMNS = 8;

export interface MistakesProps {
  found: MistakesAnswer;
  target: string | null;
  isNumber: boolean;
  isOfImages: boolean;
}

/** The rows that are furthest from right, the most certain first. */
export function Mistakes({ found, target, isNumber, isOfImages }: MistakesProps) {
  const { rows, hits, mistakes } = found;
  const names = [...new Set(mistakes.flatMap(({ row }) => Object.keys(row)))]
    .filter((name) => name !== target)
    .slice(0, SHOWN_COLUMNS);
  const note = isNumber
    ? `the largest errors of ${counted(rows)} rows`
    : `${counted(rows - hits)} of ${counted(rows)} rows wrong`;
  return (
    <Panel title="What it gets wrong" note={note} flush>
      {mistakes.length === 0 ? (
        <Empty title={`All ${counted(rows)} rows are right.`}>
          <span>If the model was trained on them, that says little: measure it on rows that it has not seen.</span>
        </Empty>
      ) : (
        <Scroll label="Mistakes" maxHeight={520}>
          <table>
            <thead>
              <tr>
                <th class={isNumber ? 'num' : ''}>Actual</th>
                <th class={isNumber ? 'num' : ''}>Predicted</th>
                <th class="num">{isNumber ? 'Error' : 'Certain'}</th>
                {isOfImages && <th>Image</th>}
                {names.map((name) => (
                  <th key={name}>{name}</th>
                ))}
              </tr>
            </thead>
            <tbody>
              {mistakes.map((mistake, i) => (
                // rows of a table need not have a key, and the list never changes
                <Row key={i} mistake={mistake} names={names} isNumber={isNumber} isOfImages={isOfImages} />
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </Panel>
  );
}

interface MistakeRowProps {
  mistake: MistakesAnswer['mistakes'][number];
  names: readonly string[];
  isNumber: boolean;
  isOfImages: boolean;
}

function Row({ mistake: { actual, predicted, fault, row, image }, names, isNumber, isOfImages }: MistakeRowProps) {
  return (
    <tr>
      <td class={isNumber ? 'num' : ''}>{isNumber ? significant(Number(actual)) : actual}</td>
      <td class={isNumber ? 'num' : ''}>{isNumber ? significant(Number(predicted)) : predicted}</td>
      <td class="num">{isNumber ? significant(fault) : percent(fault)}</td>
      {isOfImages && (
        <td>
          {image === null ? (
            <span class="muted">too large to be shown</span>
          ) : (
            <img alt={`actually ${actual}`} src={`data:;base64,${image}`} height={64} />
          )}
        </td>
      )}
      {names.map((name) => (
        <td key={name}>{row[name]}</td>
      ))}
    </tr>
  );
}
