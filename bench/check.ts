import { splitRows } from '../src/datasets/split.ts';
import type { Database } from '../src/db/database.ts';
import { rafikiUp } from '../test/support/rafiki-up.ts';
import type { Figure } from './figure.ts';
import { loadTable } from './study/load.ts';

/** Labels with typical typos, one row each. */
const typos = ['postive', 'Positive', 'positive ', 'negatvie', 'negatívé'];
/** Repeated sentences, in another case or with other spaces. */
const COPIES = 60;

/** Whether rafiki_check finds the changes of the MR sentences: flipped labels, mistyped labels, repeated sentences. */
export async function* checkBench(): AsyncIterable<Figure> {
  const rafiki = await rafikiUp();
  try {
    const { db } = rafiki;
    await loadTable(db, 'mr', 'mr', 'train');
    await spoil(db);
    const startedMs = performance.now();
    const found = await db.query<{ finding: string; detail: string }>(`select * from rafiki_check('sentiment', 'mr')`);
    const seconds = (performance.now() - startedMs) / 1000;
    for (const { finding, detail } of found) process.stderr.write(`${finding.padEnd(12)} | ${detail}\n`);
    const named = found.filter(({ finding }) => finding === 'typo?').map(({ detail }) => detail);
    const hits = typos.filter((typo) => named.some((detail) => detail.startsWith(`"${typo}" `))).length;
    yield figure('typos-found', hits, { unit: 'of 5', bar: typos.length, ok: hits === typos.length });
    yield figure('typos-wrong', named.length - hits, { unit: 'labels', bar: 0, ok: named.length === hits });
    const expected = await acrossSplit(db);
    const counted = Number(found.find(({ finding }) => finding === 'both sides')?.detail.split(' ')[0] ?? 0);
    yield figure('across-split', counted, { unit: `of ${expected}`, bar: expected, ok: counted === expected });
    yield figure('seconds', seconds, { unit: 's', ok: null });
  } finally {
    await rafiki.stop();
  }
}

const figure = (name: string, value: number, more: Pick<Figure, 'unit' | 'ok'> & { bar?: number }): Figure => ({
  ...{ bench: 'check', name: `check-${name}`, value },
  ...more,
});

async function spoil(db: Database): Promise<void> {
  await db.query(
    `update mr set label = case label when 'positive' then 'negative' else 'positive' end where id % 50 = 7`,
  );
  for (const [i, typo] of typos.entries()) {
    const meant = typo.toLowerCase().startsWith('p') ? 'positive' : 'negative';
    await db.query(`update mr set label = $1 where id = (select min(id) from mr where label = $2 and id > $3)`, [
      typo,
      meant,
      100 * (i + 1),
    ]);
  }
  await db.query(
    `insert into mr (label, input) select label, case when id % 2 = 0 then upper(input) else ' ' || replace(input, ' ', '  ') end
     from mr where id % 100 = 3 order by id limit $1`,
    [COPIES],
  );
}

/** Sentences that workers would train and validate on, but for case and spaces: counted from the split itself. */
async function acrossSplit(db: Database): Promise<number> {
  const rows = await db.query<{ label: string; input: string }>('select label, input from mr');
  const { train, valid } = splitRows(rows, { task: 'sentiment', validation: 0.2 });
  const folded = (inputs: readonly unknown[]): Set<string> =>
    new Set(inputs.map((input) => String(input).normalize('NFKC').toLowerCase().replace(/\s+/g, '')));
  const trained = folded(train.inputs);
  return [...folded(valid.inputs)].filter((text) => trained.has(text)).length;
}
