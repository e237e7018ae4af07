import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { TrialHistory } from '../../src/advisors/advisor.ts';
import { advisorByName } from '../../src/advisors/registry.ts';
import { InvalidParameter } from '../../src/errors/errors.ts';
import { familyByName } from '../../src/models/registry.ts';
import { createRng } from '../../src/runtime/rng.ts';
import type { Figure } from '../figure.ts';

/** CPU time of a proposal at the end of a study, and growth of the heap per trial, which is the history itself. */
const BAR_MS = 100;
const BAR_BYTES = 2048;
/** The first proposals leave compiled code behind. */
const COMPILING = 100;
/** Trials that the advisor proposes itself; those before are drawn at random, and fill the history as well. */
const PROPOSED = 300;

/** Each model-based advisor alone in a long study of one family; scores are synthetic, and noisy. */
export async function* manyTrialsBench(trials: number): AsyncIterable<Figure> {
  if (!(trials > 2 * PROPOSED)) {
    throw new InvalidParameter(`a long study has more than ${2 * PROPOSED} trials`, {
      hint: 'For example --trials 10000.',
    });
  }
  for (const name of ['tpe', 'bayesian']) {
    const { lastMs, bytesPerTrial } = runStudy(name, trials);
    const figure = { bench: 'tuning', note: `${trials} trials` };
    yield { ...figure, name: `${name}-proposal`, value: lastMs, unit: 'CPU ms', bar: BAR_MS, ok: lastMs <= BAR_MS };
    const isFlat = bytesPerTrial <= BAR_BYTES;
    yield { ...figure, name: `${name}-heap`, value: bytesPerTrial, unit: 'B/trial', bar: BAR_BYTES, ok: isFlat };
  }
}

function runStudy(name: string, trials: number): { lastMs: number; bytesPerTrial: number } {
  const advisor = advisorByName(name);
  const random = advisorByName('random');
  const space = familyByName('fasttext').space('sentiment');
  const search = { families: [{ name: 'fasttext', space }], overrides: {}, seed: 1 };
  const rng = createRng(1);
  const history: TrialHistory[] = [];
  const times: number[] = [];
  const first = Math.max(1, trials - PROPOSED + 1);
  let early = 0;
  for (let number = 1; number <= trials; number++) {
    if (number === first + COMPILING) early = heapBytes();
    const before = process.cpuUsage();
    const proposal = (number < first ? random : advisor).propose(search, history);
    if (number >= first) times.push(cpuMsSince(before));
    if (proposal === null) break;
    const distance = Math.abs(Math.log(Number(proposal.knobs['learning_rate']) / 0.01));
    history.push({ number, ...proposal, scores: [0.9 - 0.05 * distance + 0.01 * rng.normal()], ended: true });
  }
  const grown = heapBytes() - early;
  times.sort((a, b) => a - b);
  return {
    lastMs: times[Math.floor(times.length / 2)] ?? Number.NaN,
    bytesPerTrial: grown / (times.length - COMPILING),
  };
}

/** CPU time, because wall time depends on other load. */
function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

setFlagsFromString('--expose_gc');
const collectGarbage: unknown = runInNewContext('gc');

function heapBytes(): number {
  if (typeof collectGarbage === 'function') collectGarbage();
  return process.memoryUsage().heapUsed;
}
