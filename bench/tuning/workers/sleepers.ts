import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Database } from '../../../src/db/database.ts';
import { Heartbeat } from '../../../src/db/heartbeat.ts';
import { Listener } from '../../../src/db/listener.ts';
import { type ClaimedTrial, claimTrial } from '../../../src/db/statements/claims.ts';
import { insertReport } from '../../../src/db/statements/reports.ts';
import { transitionTrial } from '../../../src/db/statements/transitions.ts';
import { PostgresParamStore } from '../../../src/params/param-store.ts';
import { silentLogger as logger } from '../../../src/runtime/logger.ts';
import { startAll } from '../../../src/runtime/service.ts';
import { Wake } from '../../../src/runtime/wake.ts';

/**
 * A process of workers whose trials sleep: they send the same statements as a real worker, claim, report, model and
 * end, without the training between them. Arguments: URL, number of workers, milliseconds of a trial. Several
 * share a process here, so that 64 fit on a small machine; each has its own row, connection and listener.
 */
const [url = '', workers = '1', trialMs = '1000'] = process.argv.slice(2);
const POLL_MS = 2_000;
/** Variation of a trial's length, because real trials do not end simultaneously. */
const SPREAD = 0.2;

async function work(number: number): Promise<void> {
  const database = new Database({ url, application: 'sleeper', maxConnections: 1, logger });
  const wake = new Wake();
  const presence = new Heartbeat({ database, kind: 'worker', logger });
  const poke = (): void => wake.notify();
  await startAll([
    presence,
    new Listener({ url, channels: ['rafiki_trial'], onNotify: poke, onConnect: poke, logger }),
  ]);
  const params = new PostgresParamStore({ database });
  for (let count = 0; ; count++) {
    const trial = await claimTrial(database, presence.id ?? 0, { families: ['fasttext'] });
    if (trial === undefined) {
      await wake.wait(POLL_MS);
      continue;
    }
    const beganMs = performance.now();
    await sleep(Number(trialMs) * (1 + SPREAD * (2 * Math.random() - 1)));
    const seconds = (performance.now() - beganMs) / 1000;
    await finish(trial, { database, params, seconds, mark: `${process.pid}-${number}-${count}` });
  }
}

interface Finishing {
  database: Database;
  params: PostgresParamStore;
  seconds: number;
  /** Makes its weights differ from all others. */
  mark: string;
}

async function finish(owner: ClaimedTrial, { database, params, seconds, mark }: Finishing): Promise<void> {
  const measured = { epoch: 1, epochs: 1, step: 1, loss: 1, score: 0.5, metrics: {}, seconds };
  await insertReport(database, owner, measured);
  const data = new TextEncoder().encode(`weights of ${hostname()} ${mark}`);
  const paramsId = await params.save('model', {
    tensors: { w: { dtype: 'uint8', shape: [data.length], data } },
    meta: {},
  });
  const scored = { score: 0.5, predictions: Buffer.alloc(400), keptAnswers: null, validationHash: Buffer.alloc(32) };
  await transitionTrial(
    { on: database, logger },
    {
      id: owner.trialId,
      from: 'running',
      event: 'complete',
      owner,
      result: { epoch: 1, seconds, paramsId, scored },
    },
  );
}

process.once('disconnect', () => process.exit(0));
for (let number = 0; number < Number(workers); number++) void work(number);
