import type { Queryable } from '../../src/db/database.ts';
import type { TrainedModel } from '../../src/domain/training.ts';
import { packModel } from '../../src/params/model-codec.ts';
import type { PostgresParamStore } from '../../src/params/param-store.ts';
import { trainTrial } from '../../src/training/train.ts';

/** A real model that says "pos" to good films and "neg" to bad ones; trained within a second. */
export async function trainTinyModel(): Promise<TrainedModel> {
  const inputs = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? `good film ${i}` : `bad film ${i}`));
  const labels = Int32Array.from(inputs, (_, i) => 1 - (i % 2));
  const rows = { inputs, labels };
  const data = { classes: ['neg', 'pos'], train: rows, valid: rows };
  const spec = { task: 'sentiment', family: 'fasttext', knobs: {}, seed: 1, threads: 1, data } as const;
  const hooks = { onReport: async () => 'continue' as const, onCheckpoint: async () => undefined };
  return (await trainTrial(spec, hooks)).model;
}

/** Stores a version of a model, and deploys it. */
export async function deployTinyModel(
  on: { db: Queryable; store: PostgresParamStore },
  { model, version, trained }: { model: string; version: number; trained: Pick<TrainedModel, 'onnx' | 'features'> },
): Promise<void> {
  const { onnx, features } = trained;
  const paramsId = await on.store.save('model', packModel({ onnx, features }));
  await on.db.query(
    `with model as (
       insert into rafiki.model (name, task, owner) values ($1, 'sentiment', current_user::regrole) on conflict (name) do update set name = $1 returning id),
     version as (insert into rafiki.model_version (model_id, version, score, classes) select id, $2, 1, '{neg,pos}' from model returning *),
     member as (insert into rafiki.model_member (version_id, rank, family, score, params_id) select id, 0, 'fasttext', 1, $3 from version)
     insert into rafiki.deployment (model_id, version_id) select model_id, id from version`,
    [model, version, paramsId],
  );
}

export async function keyOf(db: Queryable, model: string): Promise<string> {
  const [row] = await db.query<{ key: string }>('select key from rafiki.model_access where name = $1', [model]);
  return row?.key ?? '';
}
