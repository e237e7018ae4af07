import type { Rng } from '../../src/runtime/rng.ts';
import type { Outcomes } from './outcomes.ts';
import type { LoadSession } from './session.ts';
import type { LoadStage } from './stage.ts';

export interface PredictionTurn {
  stage: LoadStage;
  session: LoadSession;
  outcomes: Outcomes;
  rng: Rng;
}

const SCAN_ROWS = 40;
const ARRAY_TEXTS = 20;

/** One call of a random form; its answer is compared with the known one. */
export async function predictOnce(turn: PredictionTurn): Promise<void> {
  await (forms[turn.rng.below(forms.length)] ?? single)(turn);
}

async function single({ stage, session, outcomes, rng }: PredictionTurn): Promise<void> {
  const at = rng.below(stage.texts.length);
  const rows = await session.call<{ label: string }>('single', `select rafiki_predict('steady', $1) as label`, [
    stage.texts[at],
  ]);
  const [row] = rows ?? [];
  if (row !== undefined) expectLabel(outcomes, `single, text ${at}`, row.label, stage.known.steady[at]);
}

async function array({ stage, session, outcomes, rng }: PredictionTurn): Promise<void> {
  const from = rng.below(stage.texts.length - ARRAY_TEXTS);
  const texts = stage.texts.slice(from, from + ARRAY_TEXTS);
  const sql = `select rafiki_predict('steady', $1::text[]) as labels`;
  const [row] = (await session.call<{ labels: string[] }>('array', sql, [texts])) ?? [];
  if (row === undefined) return;
  for (const [i] of texts.entries())
    expectLabel(outcomes, `array, text ${from + i}`, row.labels[i], stage.known.steady[from + i]);
}

/** The plain form, answered with the help of reading ahead. */
async function scan({ stage, session, outcomes, rng }: PredictionTurn): Promise<void> {
  const from = 1 + rng.below(stage.texts.length - SCAN_ROWS);
  const sql = `select id, rafiki_predict('steady', body) as label from mail where id >= $1 order by id limit ${SCAN_ROWS}`;
  for (const { id, label } of (await session.call<{ id: number; label: string }>('scan', sql, [from])) ?? [])
    expectLabel(outcomes, `scan, mail ${id}`, label, stage.known.steady[id - 1]);
}

/** A row that is filled immediately or a little later, selected and deleted: no committed row is lost. */
async function attached({ stage, session, outcomes, rng }: PredictionTurn): Promise<void> {
  const at = rng.below(stage.texts.length);
  const sql = 'insert into inbox (body) values ($1) returning id, label';
  const [row] = (await session.call<{ id: string; label: string | null }>('insert', sql, [stage.texts[at]])) ?? [];
  if (row === undefined) return;
  if (row.label !== null) expectLabel(outcomes, `insert, text ${at}`, row.label, stage.known.steady[at]);
  const gone = await session.call<{ label: string }>('delete', 'delete from inbox where id = $1 returning label', [
    row.id,
  ]);
  if (gone?.length === 0) outcomes.wrong.push(`inbox row ${row.id} was committed and is gone`);
}

/** The model whose version changes: the label must be that of the version which the answer names. */
async function either({ stage, session, outcomes, rng }: PredictionTurn): Promise<void> {
  const at = rng.below(stage.texts.length);
  const sql = `select d ->> 'label' as label, d -> 'versions' as versions from rafiki_predict_detail('turning', $1) d`;
  const [row] = (await session.call<{ label: string; versions: number[] }>('detail', sql, [stage.texts[at]])) ?? [];
  if (row === undefined) return;
  const [version] = row.versions;
  const known = version === undefined ? undefined : stage.known.turning.get(version);
  if (known === undefined) outcomes.wrong.push(`detail names versions ${JSON.stringify(row.versions)}`);
  else expectLabel(outcomes, `version ${version}, text ${at}`, row.label, known[at]);
}

function expectLabel(outcomes: Outcomes, what: string, label: string | undefined, known: string | undefined): void {
  if (label !== known) outcomes.wrong.push(`${what}: ${label} instead of ${known}`);
}

const forms = [single, array, scan, attached, either];
