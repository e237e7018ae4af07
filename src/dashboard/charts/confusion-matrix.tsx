import type { ConfusionAnswer } from '../../http/routes/evaluation.ts';
import { counted, percent } from '../format.ts';
import { Scroll } from '../parts/scroll.tsx';

/** More classes do not fit: then the most frequent are shown. */
const MAX_CLASSES = 25;

/** Rows are actual labels; shades are shares of a row. Every cell has its number. */
export function ConfusionMatrix({ cells }: { cells: readonly ConfusionAnswer[] }) {
  const actual = (cell: ConfusionAnswer): string => cell.actual ?? 'null';
  const predicted = (cell: ConfusionAnswer): string => cell.predicted ?? 'null';
  const totals = new Map<string, number>();
  for (const cell of cells) {
    totals.set(actual(cell), (totals.get(actual(cell)) ?? 0) + cell.row_count);
    totals.set(predicted(cell), totals.get(predicted(cell)) ?? 0);
  }
  const frequent = [...totals].sort(([, a], [, b]) => b - a).map(([name]) => name);
  const classes = frequent.slice(0, MAX_CLASSES).sort();
  const counts = new Map(cells.map((cell) => [`${actual(cell)}\n${predicted(cell)}`, cell.row_count]));
  return (
    <div class="stack">
      <Scroll label="Counts by actual and predicted label">
        <table class="matrix">
          <caption class="unseen">Rows: actual label. Columns: predicted label.</caption>
          <thead>
            <tr>
              <th scope="col">actual \ predicted</th>
              {classes.map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {classes.map((row) => (
              <tr key={row}>
                <th scope="row">{row}</th>
                {classes.map((column) => {
                  const n = counts.get(`${row}\n${column}`) ?? 0;
                  const share = n / Math.max(1, totals.get(row) ?? 1);
                  return (
                    <td
                      key={column}
                      class="num"
                      title={`${percent(share, 1)} of ${row}`}
                      style={shadeOf(share, row === column)}
                    >
                      {n === 0 ? <span class="muted">0</span> : counted(n)}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {frequent.length > MAX_CLASSES && (
        <p class="caption">
          The {MAX_CLASSES} most frequent of {counted(frequent.length)} classes.
        </p>
      )}
    </div>
  );
}

/** A tint behind the number, pale enough to read it. */
const shadeOf = (share: number, isHit: boolean): { background: string } => ({
  background: `color-mix(in srgb, var(${isHit ? '--accent' : '--bad'}) ${Math.round(28 * share)}%, transparent)`,
});
