import sharp from 'sharp';
import { Database } from '../../src/db/database.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { createRng } from '../../src/runtime/rng.ts';
import { models, type PredictStage, startStage } from '../predict/stage.ts';

export const TEXT_MODEL = models.temporal_cnn;
export const IMAGE_MODEL = 'bench_pictures';

/** An image at the size limit, 50 million pixels. */
const LARGE = { width: 8000, height: 6250 };
const SMALL = 48;
const PICTURES = 80;

const flooder = 'bench_flooder';
const modest = 'bench_modest';
const password = 'bench';

/** A whole Rafiki with a model of texts and one of images, and two roles that may use them. */
export interface FloodStage {
  /** Of the role that floods. */
  flooderUrl: string;
  /** A session of the other role. */
  connect(): Database;
  stop(): Promise<void>;
}

export async function startFloodStage(dataDir: string): Promise<FloodStage> {
  const stage = await startStage(dataDir);
  try {
    await preparePictures(stage.session);
    await prepareRoles(stage);
  } catch (error) {
    await stage.stop();
    throw error;
  }
  const sessions: Database[] = [];
  return {
    flooderUrl: urlOf(stage, flooder),
    connect: () => {
      const options = { application: 'bench', maxConnections: 1, asUser: true, logger: silentLogger };
      const session = new Database({ url: urlOf(stage, modest), ...options });
      sessions.push(session);
      return session;
    },
    stop: async () => {
      await Promise.all(sessions.map((session) => session.stop()));
      await stage.stop();
    },
  };
}

function urlOf({ url }: PredictStage, role: string): string {
  const other = new URL(url);
  other.username = role;
  other.password = password;
  return other.href;
}

/** Small pictures of two kinds for training and calls, and one at the size limit. */
async function preparePictures(session: Database): Promise<void> {
  await session.query('create table bench_picture (id int generated always as identity, label text, image bytea)');
  const rng = createRng(3);
  for (let i = 0; i < PICTURES; i++) {
    const [label, red, blue] = i % 2 === 0 ? ['warm', 200, 60] : ['cold', 60, 200];
    const background = { r: red + rng.below(50), g: 90 + rng.below(60), b: blue + rng.below(50) };
    const image = await sharp({ create: { width: SMALL, height: SMALL, channels: 3, background } })
      .jpeg()
      .toBuffer();
    await session.query('insert into bench_picture (label, image) values ($1, $2)', [label, image]);
  }
  const large = await sharp({ create: { ...LARGE, channels: 3, background: 'teal' } })
    .png({ compressionLevel: 6 })
    .toBuffer();
  await session.query('create table bench_large as select $1::bytea as image', [large]);
  await session.query('create view bench_learned as select label, image from bench_picture');
  const [study] = await session.query<{ id: number }>(
    `select rafiki_train('image_classification', 'bench_learned', model => $1, families => '{squeezenet}', target => 'label',
       knobs => '{"width": 16, "epochs": 5}', max_trials => 1, seed => 1) as id`,
    [IMAGE_MODEL],
  );
  const [ended] = await session.query<{ state: string }>('select rafiki_wait($1) as state', [study?.id]);
  if (ended?.state !== 'completed') throw new Error(`training ${IMAGE_MODEL} ended as ${ended?.state}`);
}

async function prepareRoles({ session, admin }: PredictStage): Promise<void> {
  for (const role of [flooder, modest]) {
    await admin.query(`create role ${role} login password '${password}'`);
    for (const model of [TEXT_MODEL, IMAGE_MODEL]) await session.query(`select rafiki_grant('${model}', '${role}')`);
    await session.query(`grant select on bench_text, bench_picture, bench_large to ${role}`);
  }
  await session.query(`grant temporary on database ${await databaseName(session)} to ${flooder}`);
}

async function databaseName(session: Database): Promise<string> {
  const [row] = await session.query<{ name: string }>('select quote_ident(current_database()) as name');
  return row?.name ?? '';
}
