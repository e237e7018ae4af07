import { randomBytes } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Figure } from '../figure.ts';
import { deployed } from './deployed.ts';
import { ServedMachine } from './served-machine.ts';
import { figure } from './table.ts';

/** Sessions that ask again as soon as they have their answer, so that always some requests wait. */
const SESSIONS = 200;
const IMAGE_BYTES = 6000;
/** Memory rises and falls as lists are cleaned up: so often in each half, its largest value is compared. */
const SAMPLES = 10;
/** Maximum growth in the second half. */
const FLAT = 1.1;

/** Memory in use while images of so many requests are answered, some of them late. */
export async function* memoryFigures(images: number): AsyncIterable<Figure> {
  const [one] = deployed;
  if (one === undefined) return;
  const machine = new ServedMachine({
    models: [one],
    threads: one.threads,
    onOverdue: 'answer',
    policy: 'planner',
    noise: 0,
    seed: 1,
  });
  let answered = 0;
  const ask = (session: object): void => {
    const again = (): void => {
      if (++answered < images) ask(session);
    };
    machine.ask(randomBytes(IMAGE_BYTES).toString('base64'), { role: 'a', session }, { resolve: again, reject: again });
  };
  for (let i = 0; i < SESSIONS; i++) ask({});
  const mostUntil = async (last: number): Promise<number> => {
    const first = answered;
    let most = 0;
    for (let sample = 1; sample <= SAMPLES; sample++) {
      while (answered < first + (sample / SAMPLES) * (last - first) && (await machine.next()));
      collectGarbage();
      most = Math.max(most, process.memoryUsage().heapUsed / 2 ** 20);
    }
    return most;
  };
  const peerValue = await mostUntil(images / 2);
  const value = await mostUntil(images - SESSIONS);
  const ratio = value / peerValue;
  const peer = { peer: 'first half', peerValue, ratio, bar: FLAT, ok: ratio <= FLAT };
  const note = `the most in the second half of ${images} images; in the first ${peerValue.toFixed(1)} MB`;
  yield { ...figure('one-memory', value, 'MB', {}), ...peer, note };
}

function collectGarbage(): void {
  setFlagsFromString('--expose_gc');
  (runInNewContext('gc') as () => void)();
}
