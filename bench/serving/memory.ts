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
/** Maximum growth after the first tenth. */
const FLAT = 1.1;

/** Memory that is still used after images of so many requests were answered, some of them late. */
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
  const usedAfter = async (count: number): Promise<number> => {
    while (answered < count && (await machine.next()));
    collectGarbage();
    return process.memoryUsage().heapUsed / 2 ** 20;
  };
  const peerValue = await usedAfter(images / 10);
  const value = await usedAfter(images - SESSIONS);
  const ratio = value / peerValue;
  const peer = { peer: 'after a tenth', peerValue, ratio, bar: FLAT, ok: ratio <= FLAT };
  const note = `${images} images; after a tenth of them ${peerValue.toFixed(1)} MB`;
  yield { ...figure('one-memory', value, 'MB', {}), ...peer, note };
}

function collectGarbage(): void {
  setFlagsFromString('--expose_gc');
  (runInNewContext('gc') as () => void)();
}
