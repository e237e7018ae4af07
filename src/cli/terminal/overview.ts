import type { Queryable } from '../../db/database.ts';
import { formatTable } from './format-table.ts';

/** Studies and models that are shown: what fits on a screen. */
const ROWS = 8;

/** `most`: rows that are shown of many. */
const parts: readonly { title: string; sql: string; most?: number }[] = [
  { title: 'processes', sql: 'select kind, host, device, seen_s, trial, lost from rafiki.top_workers' },
  { title: 'studies', sql: 'select * from rafiki.top_studies', most: ROWS },
  { title: 'models', sql: `select * from rafiki.top_models where deployment = 'ready'`, most: ROWS },
  { title: 'predictions', sql: 'select * from rafiki.top_predict order by calls desc', most: ROWS },
];

/** What runs and what there is, for the role of the session, in 80 columns. */
export async function overview(on: Queryable): Promise<string> {
  const texts: string[] = [];
  for (const { title, sql, most } of parts) {
    const rows = await on.query<Record<string, unknown>>(most === undefined ? sql : `${sql} limit ${most}`);
    const table = rows.length === 0 ? ' none' : formatTable(rows);
    texts.push(`${title}\n${table}${rows.length === most ? await moreText(on, sql, most) : ''}`);
  }
  return texts.join('\n\n');
}

async function moreText(on: Queryable, sql: string, shown: number): Promise<string> {
  const [row] = await on.query<{ n: number }>(`select pg_catalog.count(*)::int as n from (${sql}) a`);
  const more = (row?.n ?? 0) - shown;
  return more > 0 ? `\n and ${more} more` : '';
}
