import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createRng } from '../../../src/runtime/rng.ts';
import { actor } from '../../../src/serving/policies/learned/actor-critic.ts';
import { encodeWeights } from '../../../src/serving/policies/learned/network.ts';
import type { Figure } from '../../figure.ts';
import { draw } from '../../plot.ts';
import { KeptResults } from '../../results.ts';
import { Experiment, type MeasuredPolicy } from '../experiment.ts';
import { leaving } from '../policies.ts';
import { simulate } from '../simulator.ts';
import { figure } from '../table.ts';
import { arrivalsOf, type Setting, settings } from '../workloads.ts';
import { PolicyTraining } from './trainer.ts';

const SEED = 1;
/** Of the arrivals on which the learning curve is measured; those of the tables are others. */
const CURVE_SEED = 11;
/** Decisions between two points of the curve. */
const CURVE_EVERY = 250_000;
/** Rounds between two writes of the state. */
const KEEP_EVERY = 10;

const weightsFile = fileURLToPath(new URL('../../../src/serving/policies/learned/trained-weights.ts', import.meta.url));

const cases = settings.flatMap((setting) => [false, true].map((drops) => ({ setting, drops })));

/**
 * Trains the actor-critic. Yields the points of the learning curve; at each the weights in src are replaced. The state is
 * kept in `stateFile`: if training is interrupted it continues there, with the same result.
 */
export async function* learnFigures(stateFile: string): AsyncIterable<Figure> {
  const state = existsSync(stateFile) ? JSON.parse(readFileSync(stateFile, 'utf8')) : undefined;
  const training = new PolicyTraining({ seed: SEED }, state);
  const keep = (): void => {
    writeFileSync(`${stateFile}.new`, JSON.stringify(training.state));
    renameSync(`${stateFile}.new`, stateFile);
  };
  const curve = new LearningCurve();
  if (state === undefined) yield* curve.measure(training);
  for (let round = 1; !training.isOver; round++) {
    const before = training.done;
    training.round();
    const isPoint = Math.floor(training.done / CURVE_EVERY) > Math.floor(before / CURVE_EVERY) || training.isOver;
    if (isPoint) {
      yield* curve.measure(training);
      await curve.draw();
      writeWeights(training);
    }
    if (isPoint || round % KEEP_EVERY === 0) keep();
  }
}

/** Readable as a module of the server. */
function writeWeights({ network, done }: PolicyTraining): void {
  const text = `// Written by \`npm run -s bench -- serving --learn FILE\` after ${done} decisions: float32, little-endian, base64.
export const TRAINED_WEIGHTS =
  '${encodeWeights(network.weights)}';
`;
  writeFileSync(weightsFile, text);
}

/** Shares of the bound on one sine, without any further learning: in docs/experiments/serving/learning.csv. */
class LearningCurve {
  readonly #points = new KeptResults('serving/learning.csv', [
    'setting',
    'drops',
    'decisions',
    'of_them_here',
    'fraction',
  ]);
  readonly #experiment = new Experiment({ isKept: true });

  async *measure({ network, done, decisions }: PolicyTraining): AsyncIterable<Figure> {
    for (const { setting, drops } of cases) {
      const key = [setting.name, drops ? 'yes' : 'no', done];
      if (this.#points.has(...key)) continue; // measured before the interruption
      const { boundReward } = await this.#greedy(setting, drops);
      const { fleet, budgetMs, name } = setting;
      const { reward } = simulate({
        ...{ fleet, budgetMs, arrivals: arrivalsOf(setting, 'sine', CURVE_SEED), drops, noise: 0, rng: createRng(1) },
        policy: (known) =>
          actor({ fleet: known, seed: CURVE_SEED, ...leaving(drops), network, onStep: () => undefined }),
      });
      const fraction = reward / boundReward;
      this.#points.add([...key, decisions[name] ?? 0, Number(fraction.toPrecision(5))]);
      const note = `${drops ? 'dropping' : 'all served'}; after ${done} decisions`;
      yield { ...figure(`${name}-sine-learning`, fraction, 'of bound', {}), note };
    }
  }

  async draw(): Promise<void> {
    for (const drops of [false, true]) {
      const curves = [];
      for (const setting of settings) {
        const points = this.#points.rows
          .filter(([name, dropping]) => name === setting.name && dropping === (drops ? 'yes' : 'no'))
          .map(([, , decisions, , fraction]) => ({ x: Number(decisions) / 1e6, y: Number(fraction) }));
        const { fraction: y } = await this.#greedy(setting, drops);
        curves.push({ name: setting.name, points });
        curves.push({ name: `${setting.name}, greedy`, points: points.map(({ x }) => ({ x, y })) });
      }
      const what = drops ? 'dropping' : 'all served';
      draw(`serving/learning-${drops ? 'dropping' : 'served'}.svg`, {
        ...{ title: `actor-critic, ${what}: sine, seed ${CURVE_SEED}`, x: 'decisions learned from, millions' },
        ...{ y: 'of the bound', curves },
      });
    }
  }

  #greedy(setting: Setting, drops: boolean): Promise<MeasuredPolicy> {
    return this.#experiment.measure({ setting, load: 'sine', policy: 'greedy', drops, noise: 0, seed: CURVE_SEED });
  }
}
