import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { subsetScores } from '../../src/coordinator/ensemble.ts';
import type { Database } from '../../src/db/database.ts';
import { classification } from '../../src/domain/kinds/classification.ts';
import type { MemberBallots } from '../../src/domain/kinds/kind.ts';
import { type RunningRafiki, rafikiUp } from '../../test/support/rafiki-up.ts';
import { Sessions } from './sessions.ts';

const file = path.join(process.env['RAFIKI_DATA'] ?? '../shared/data', 'cifar10', 'valid.csv.gz');
export const hasImages = existsSync(file);

/** Rows to train on; the others are predicted. */
const TRAIN_ROWS = 600;
/** The model that is called: a version of the first family's. */
export const MODEL = 'bench_resnet';
const CLASSES = ['airplane', 'frog', 'horse', 'ship'];
/** Sessions of the load: fewer than the database allows. */
const SESSIONS = 60;

export interface ImageStage {
  rafiki: RunningRafiki;
  /** Runs `work` on a session of the load as soon as one is free; null if none becomes free in time. */
  withSession<T>(untilMs: number, work: (session: Database) => Promise<T>): Promise<T | null>;
  /** Ids of images to predict, and their labels. */
  asked: { id: number; label: string }[];
  /** Accuracy on validation rows of each subset of the deployed members, by its bits. */
  accuracies: number[];
  stop(): Promise<void>;
}

/** A whole Rafiki with three small image models, trained on photographs of CIFAR-10 that the load does not predict. */
export async function startImageStage(policy: string): Promise<ImageStage> {
  const rafiki = await rafikiUp({ args: ['--workers', '2'], env: { RAFIKI_POLICY: policy } });
  const sessions = new Sessions(rafiki.url, SESSIONS);
  const { db } = rafiki;
  const stop = async (): Promise<void> => {
    await sessions.stop();
    await rafiki.stop();
  };
  try {
    await load(db);
    const accuracies = await train(rafiki);
    const asked = await db.query<{ id: number; label: string }>(
      'select id, label from bench_image where id > $1 order by id',
      [TRAIN_ROWS],
    );
    return { rafiki, withSession: (untilMs, work) => sessions.with(untilMs, work), asked, accuracies, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function load(db: Database): Promise<void> {
  const lines = gunzipSync(readFileSync(file)).toString().trimEnd().split('\n').slice(1); // id,label,\x…
  const rows = lines.map((line) => line.split(',')).filter(([, label = '']) => CLASSES.includes(label));
  await db.query('create table bench_image (id int, label text, image bytea)');
  for (let from = 0; from < rows.length; from += 200) {
    const part = rows.slice(from, from + 200);
    await db.query('insert into bench_image select * from unnest($1::int[], $2::text[], $3::bytea[])', [
      part.map((_, i) => from + i + 1),
      part.map(([, label]) => label),
      part.map(([, , image]) => image),
    ]);
  }
}

const FAMILIES = ['resnet', 'xception', 'inception'];

/**
 * Trains one model of each family, and deploys the three together: a study would keep only those that help on its few
 * validation rows. The accuracy of each subset is counted on the predicted rows.
 */
async function train({ db, admin }: RunningRafiki): Promise<number[]> {
  await db.query(`create table bench_train as select label, image from bench_image where id <= ${TRAIN_ROWS}`);
  const votes: string[][] = [];
  for (const family of FAMILIES) {
    const [study] = await db.query<{ id: number }>(
      `select rafiki_train('image_classification', 'bench_train', model => $1, target => 'label', families => array[$2],
         knobs => '{"width": 16, "epochs": 8}', max_trials => 1, max_time => '5 min', seed => 1) as id`,
      [`bench_${family}`, family],
    );
    const [ended] = await db.query<{ state: string }>('select rafiki_wait($1) as state', [study?.id]);
    if (ended?.state !== 'completed') throw new Error(`training ${family} ended as ${ended?.state}`);
    const [answers] = await db.query<{ labels: string[] }>(
      `select rafiki_predict($1, array_agg(image order by id), '1 min') as labels from bench_image where id > ${TRAIN_ROWS}`,
      [`bench_${family}`],
    );
    votes.push(answers?.labels ?? []);
  }
  const truth = await db.query<{ label: string }>(`select label from bench_image where id > ${TRAIN_ROWS} order by id`);
  return deployTogether(
    { db, admin },
    votes,
    truth.map(({ label }) => label),
  );
}

async function deployTogether(
  { db, admin }: Pick<RunningRafiki, 'db' | 'admin'>,
  votes: readonly string[][],
  truth: readonly string[],
): Promise<number[]> {
  const classes = [...CLASSES].sort();
  const indexes = (labels: readonly string[]): Uint16Array =>
    Uint16Array.from(labels, (label) => classes.indexOf(label));
  const labels = indexes(truth);
  const accuracyOf = (members: readonly MemberBallots[]): number =>
    classification.scoreBallots(members, labels, { classes: classes.length });
  const ranked = FAMILIES.map((family, i) => ({ family, ballots: indexes(votes[i] ?? []), score: 0 }))
    .map((member) => ({ ...member, score: accuracyOf([member]) }))
    .sort((a, b) => b.score - a.score);
  const accuracies = subsetScores(ranked, accuracyOf);
  await admin.query(
    `with made as (
       insert into rafiki.model_version (model_id, version, score, accuracies, classes)
       select id, 2, $1, $2, $3 from rafiki.model where name = $4 returning id)
     insert into rafiki.model_member (version_id, rank, family, score, params_id)
     select made.id, m.rank - 1, m.family, m.score,
       (select b.params_id from rafiki.model_member b join rafiki.model_version v on v.id = b.version_id
          join rafiki.model o on o.id = v.model_id
        where o.name = 'bench_' || m.family and b.precision = 'float32')
     from made, unnest($5::text[], $6::float8[]) with ordinality m(family, score, rank)`,
    [
      accuracies.at(-1),
      accuracies,
      classes,
      MODEL,
      ranked.map(({ family }) => family),
      ranked.map(({ score }) => score),
    ],
  );
  await db.query('select rafiki_deploy($1, 2)', [MODEL]);
  await db.query(`select rafiki_predict($1, image, '1 min') from bench_image where id = 1`, [MODEL]);
  return accuracies;
}
