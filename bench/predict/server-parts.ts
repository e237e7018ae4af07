import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { queryReply } from '../../src/bridge/messages.ts';
import type { DeploymentRow } from '../../src/db/statements/serving/deployments.ts';
import { unweighted } from '../../src/domain/ensembles/rule.ts';
import { readModel } from '../../src/engine/model-file.ts';
import { createEncoder } from '../../src/features/registry.ts';
import { packModel } from '../../src/params/model-codec.ts';
import { ModelFiles } from '../../src/params/model-files.ts';
import type { ParamStore } from '../../src/params/param-store.ts';
import { answerReply } from '../../src/protocol/reply.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { FrameReader } from '../../src/runtime/frames/frame-reader.ts';
import { AnswerCache } from '../../src/serving/answer-cache.ts';
import { CpuDevice } from '../../src/serving/devices/cpu-device.ts';
import type { Device } from '../../src/serving/devices/device.ts';
import type { ThreadPool } from '../../src/serving/devices/inference-threads.ts';
import { measureLatency } from '../../src/serving/devices/measure.ts';
import { Replica } from '../../src/serving/devices/replica.ts';
import { Machine } from '../../src/serving/machine/machine.ts';
import { assumedAccuracies, ServedFleet } from '../../src/serving/policies/fleet.ts';
import { policyByName } from '../../src/serving/policies/registry.ts';
import { PredictStat } from '../../src/serving/predict-stat.ts';
import { ServedModel } from '../../src/serving/served-model.ts';
import { Client } from '../../src/serving/session/client.ts';
import { PredictConversation } from '../../src/serving/session/conversation.ts';
import { trainTrial } from '../../src/training/train.ts';
import { directoryOf } from '../../test/unit/serving/staged-model.ts';
import { median } from './measure.ts';

/** Microseconds of one call, by part of the server. */
export interface ServerParts {
  frames: number;
  tokenise: number;
  inference: number;
  /** Request, scan, policy and cache. */
  session: number;
}

const CALLS = 20_000;

/** What one call of a new text takes in the parts of the server, each called again and again in this process. */
export async function serverParts(): Promise<ServerParts> {
  const dir = mkdtempSync(path.join(tmpdir(), 'rafiki-bench-parts-'));
  try {
    const files = new ModelFiles({ load: async () => trained() } as Partial<ParamStore> as ParamStore, dir);
    const file = await files.fetch(1);
    const encoder = createEncoder((await readModel(file)).features);
    const tokenise = await usOf((i) => encoder.encode([newText(i)]));
    const { conversation, runsUs, stop } = await startSession(file);
    const request = (i: number): string => ['N', 'key', 'me', '', '', `${i} 2:3: me`, newText(i)].join('\x1f');
    const all = await usOf((i) => conversation.answer(request(i)));
    await stop();
    const run = median(runsUs.slice(CALLS / 2));
    return { frames: await frames(request(0)), tokenise, inference: run - tokenise, session: all - run };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const newText = (i: number): string => `w1 w20 w300 positive4 w512 ${i}`;

async function trained() {
  const inputs = Array.from(
    { length: 2000 },
    (_, i) => `w${i % 512} w${(7 * i) % 300} ${i % 2 === 0 ? 'good' : 'bad'}`,
  );
  const rows = { inputs, labels: Int32Array.from(inputs, (_, i) => i % 2) };
  const data = { classes: ['neg', 'pos'], train: rows, valid: rows };
  const hooks = { onReport: async () => 'continue' as const, onCheckpoint: async () => undefined };
  const spec = { task: 'sentiment', family: 'fasttext', knobs: { epochs: 1 }, seed: 1, threads: 1, data } as const;
  return packModel((await trainTrial(spec, hooks)).model);
}

/** A session of a server whose model runs in this thread, as rows of a quick model do. */
async function startSession(file: Awaited<ReturnType<ModelFiles['fetch']>>) {
  const row: DeploymentRow = {
    id: 1,
    state: 'ready',
    modelId: 1,
    model: 'parts',
    task: 'sentiment',
    key: 'key',
    budgetMs: null,
    versionId: 1,
    version: 1,
    columns: null,
    foreignOwner: null,
    score: 0.9,
    accuracies: null,
    rule: 'vote',
    classes: ['neg', 'pos'],
    members: [
      { family: 'fasttext', precision: 'float32', paramsId: 1, encoderId: null, variantOf: null, ...unweighted(0.9) },
    ],
  };
  const fleet = new ServedFleet({
    members: row.members,
    accuracy: assumedAccuracies(row.members, row.score),
    servers: 1,
  });
  const files = { models: [file], inputKind: 'text', threads: 1 } as const;
  const thread = await Replica.load(files);
  const pool: ThreadPool = {
    size: 1,
    load: async () => 1,
    spread: async () => undefined,
    isFree: () => true,
    unload: () => thread.release(),
    run: async (_, inputs, subset) => {
      const startedMs = performance.now();
      return { outputs: await thread.run(inputs, subset), ms: performance.now() - startedMs };
    },
    explain: async (_, orders, ensemble) => ({ outputs: await thread.explain(orders, ensemble), ms: 0 }),
  };
  const device = await CpuDevice.load({ files, pool, rowsWithin: () => 1 });
  fleet.measured(await measureLatency(device, 1, newText(0)));
  const runsUs: number[] = [];
  await device.grow();
  const runNow: Device['runNow'] = (inputs, subset) => {
    const result = device.runNow(inputs, subset);
    if (result !== undefined) runsUs.push(1000 * result.ms);
    return result;
  };
  const timed: Device = {
    isReady: true,
    isFree: true,
    inlineRows: 1,
    open: async () => true,
    run: (inputs, subset) => device.run(inputs, subset),
    runNow,
    release: () => device.release(),
  };
  const model = new ServedModel({
    row,
    device: timed,
    fleet,
    policy: policyByName('planner'),
    cache: new AnswerCache(),
    stat: new PredictStat(),
    machine: new Machine({ slots: 1, clock: systemClock }),
    clock: systemClock,
  });
  const client = new Client({ models: directoryOf({ key: model }), clock: systemClock });
  return { conversation: new PredictConversation(client), runsUs, stop: () => model.release() };
}

/** Reading a request from the wire, and writing its reply. */
async function frames(request: string): Promise<number> {
  const body = Buffer.from(`${request}\0`);
  const head = Buffer.alloc(5);
  head.write('Q');
  head.writeInt32BE(body.length + 4, 1);
  const bytes = Buffer.concat([head, body]);
  const reader = new FrameReader();
  return usOf(() => {
    reader.push(bytes);
    reader.next(bytes.length)?.body.toString();
    queryReply(answerReply('pos'));
  });
}

/** The median of the second half: code is compiled in the first. */
async function usOf(call: (i: number) => unknown): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < CALLS; i++) {
    const startedMs = performance.now();
    const result = call(i);
    if (result instanceof Promise) await result;
    times.push(1000 * (performance.now() - startedMs));
    await new Promise(setImmediate); // the next request comes in another turn of the event loop
  }
  return median(times.slice(CALLS / 2));
}
