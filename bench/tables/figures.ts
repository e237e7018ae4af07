import type { Figure } from '../figure.ts';
import type { Results } from '../results.ts';
import { type TableName, tableNames } from '../trees/tables.ts';
import type { FoldPlace } from './folds.ts';
import { type PeerName, peers } from './peers.ts';

/** Of a table, fold by fold in the same order. */
export interface Losses {
  own: readonly number[];
  /** CPU time of our slowest fold. */
  slowestSeconds: number;
  /** Of the peers that are on this machine. */
  peers: ReadonlyMap<PeerName, readonly number[]>;
}

/** Standard errors of the difference that a table may be worse by, mean relative loss, tables that must be better. */
const [maxErrors, maxLoss, minBetter] = [2, 0.01, 3];

export function losses(
  { rows }: Results,
  { name, own, places }: { name: TableName; own: string; places: readonly FoldPlace[] },
): Losses {
  const rowsOf = (by: string): (readonly string[])[] =>
    places.flatMap(({ repeat, fold }) =>
      rows.filter(([table, who, r, f]) => table === name && who === by && Number(r) === repeat && Number(f) === fold),
    );
  const lossesOf = (by: string): number[] => rowsOf(by).map((row) => Number(row[4]));
  const measured = (Object.keys(peers) as PeerName[]).map((peer) => [peer, lossesOf(peer)] as const);
  return {
    own: lossesOf(own),
    slowestSeconds: Math.max(...rowsOf(own).map((row) => Number(row[5]))),
    peers: new Map(measured.filter(([, values]) => values.length === places.length)),
  };
}

interface BestPeer {
  best: PeerName;
  own: number;
  theirs: number;
  /** Mean difference, positive if ours is worse, and its standard error over the folds. */
  apart: number;
  error: number;
}

/** With the peer whose mean is smallest on these folds; undefined without peers. */
function compared({ own, peers: measured }: Losses): BestPeer | undefined {
  const [best] = [...measured].sort(([, a], [, b]) => mean(a) - mean(b));
  if (best === undefined) return undefined;
  const [name, theirs] = best;
  const differences = own.map((loss, i) => loss - (theirs[i] as number));
  return { best: name, own: mean(own), theirs: mean(theirs), apart: mean(differences), error: errorOf(differences) };
}

/** Mean loss over the folds, compared with the best peer. */
export function tableFigure(name: TableName, measured: Losses): Figure {
  const found = compared(measured);
  const figure = {
    bench: 'tables',
    name,
    value: mean(measured.own),
    unit: tableNames[name] === 'number' ? 'rmse' : 'error',
  };
  const time = `${measured.slowestSeconds.toFixed(0)} s at most`;
  if (found === undefined)
    return { ...figure, ok: null, note: `${time}; no peers: apt-get install python3-sklearn python3-xgboost` };
  const { best, own, theirs, apart, error } = found;
  const all = [...measured.peers].map(([peer, values]) => `${peer} ${mean(values).toFixed(4)}`);
  return {
    ...figure,
    ...{ peer: best, peerValue: theirs, ratio: own / theirs, ok: apart <= maxErrors * error },
    note: `difference ${apart.toFixed(4)} ± ${error.toFixed(4)} in ${measured.own.length} folds; ${all.join(', ')}; ${time}`,
  };
}

/** Of all tables. */
export function* summary(tables: readonly Losses[]): Iterable<Figure> {
  const all = tables.flatMap((each) => compared(each) ?? []);
  if (all.length === 0) return;
  const within = all.filter(({ apart, error }) => apart <= maxErrors * error).length;
  const loss = mean(all.map(({ own, theirs }) => own / theirs - 1));
  const better = all.filter(({ apart }) => apart < 0).length;
  const figure = { bench: 'tables', unit: 'tables' };
  yield { ...figure, name: 'within-two-errors', value: within, bar: all.length, ok: within === all.length };
  yield { ...figure, name: 'relative-loss', value: 100 * loss, unit: '%', bar: 100 * maxLoss, ok: loss <= maxLoss };
  yield { ...figure, name: 'better', value: better, bar: minBetter, ok: better >= minBetter };
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Standard error of the mean, as if the folds were independent: their models share training rows, so it is rather too small. */
function errorOf(values: readonly number[]): number {
  const middle = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1) / values.length);
}
