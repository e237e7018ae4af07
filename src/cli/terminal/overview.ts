import type { Queryable } from '../../db/database.ts';
import { formatTable } from './format-table.ts';

/** Studies and models that are shown: what fits on a screen. */
const ROWS = 8;

const parts = [
  { title: 'processes', sql: 'select kind, host, device, seen_s, trial, lost from rafiki.top_workers' },
  { title: 'studies', sql: `select * from rafiki.top_studies limit ${ROWS}` },
  { title: 'models', sql: `select * from rafiki.top_models where deployment = 'ready' limit ${ROWS}` },
  { title: 'predictions', sql: `select * from rafiki.top_predict order by calls desc limit ${ROWS}` },
];

/** What runs and what there is, for the role of the session, in 80 columns. */
export async function overview(on: Queryable): Promise<string> {
  const texts: string[] = [];
  for (const { title, sql } of parts) {
    const rows = await on.query<Record<string, unknown>>(sql);
    texts.push(`${title}\n${rows.length === 0 ? ' none' : formatTable(rows)}`);
  }
  return texts.join('\n\n');
}
