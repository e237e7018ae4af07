import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import path from 'node:path';
import type { Figure } from '../figure.ts';
import { experimentsDir } from '../results.ts';
import { settings } from './workloads.ts';

const head = (machine: string): string => `# Serving: scheduling on simulated time

The server itself is measured in [serving-real.md](serving-real.md); this is the simulators' part. Written by
\`npm run -s bench -- serving\`. Simulated time, seeds 1 to 5, means (of \`drained\` and \`unanswered\` the largest).
Results depend only on the seeds, except the time of a decision and memory: ${machine}.

## As it is deployed

The server's own queue, batcher, fleet and planner (\`src/serving\`) on a clock that the bench advances, in front of threads that only
wait (\`bench/serving/served.ts\`; results by seed in \`serving/deployed.csv\`): one machine, whose threads hold all members, which run one
after another. The models are in \`bench/serving/deployed.ts\`: \`one\`, c = 10 + b ms, τ = 100 ms; \`rows\`, 20 b ms, 100 ms, where batches
do not pay; \`threads\`, four with 2 + 2 b ms, 50 ms; \`padded\`, the paper's Inception-v3, padded to multiples of 16, 560 ms; \`three\`, the
paper's three models at a quarter of their times, 560 ms. Loads are relative to batches of 64.

- \`steady\`: late requests are refused. The least that can be missed is exact: the best of all schedules that know the arrivals
  (\`bench/serving/in-time.ts\`). The target adds .001, .01, .015 and .015.
- \`in-time\`: with \`on_overdue = answer\`, the default; target: .99 of what \`error\` reaches. The step is .3, 1.4 and .3 for 20 s each, and
  \`drained\` the longest wait after its overload.
- \`starved\`: c = 5 + 5 b ms, τ = 50 ms, twice the capacity for two minutes, then a tenth: who never had an answer or a refusal, and
  the share of late answers during the overload.
- \`shared\`: two models and a third, of which each batch takes 20 times as long, on one machine; with \`on_overdue = answer\`. \`thread\`: c = 1 + b/2 ms,
  τ = 200 and 2000 ms, each model at .3 of what the thread can do for it. \`threads\`: two, 4 + b/2 ms, 75 and 2000 ms, at .25: a row of the long model
  takes longer than 75 ms, so that one thread must be free of it. \`p99\`: of the short models' requests, the largest of all seeds; \`goodput\`: requests in
  time, compared with each model alone. \`flooded\`: two threads, .5 + b/2 ms, 50 and 1000 ms; the long model is asked for 1.6 times what the machine can
  do, the short ones for a tenth: the least that one of these has in time.
- \`flooder\`: one user asks 1.6 times the capacity, ten others a twentieth each; the mean over seeds of the least that one of these has
  in time. \`roles\`: each is a role; \`sessions\`: all are sessions of one role. Target: .99, of \`rows\` .99 of what light users would have if their
  rows always ran before the flooder's (\`bench/serving/light-first.ts\`): there, where a row takes a fifth of the budget, no rule that uses the whole
  device can give them more.

`;

const paperHead = `## In the paper's topology

A device for each model, late requests refused (or all served in the order of arrival), each policy (\`bench/serving/simulator.ts\`).
Runs in \`serving/runs.csv\`, bounds in \`serving/bounds.csv\`. β = 1: an overdue or refused request earns nothing. The bound is a fluid linear
program that knows all arrivals and ignores batching (\`bench/serving/bound.ts\`); loads and profiles are in \`bench/serving/workloads.ts\` and
\`profiles.ts\`. The bursts and on-off loads of the study that the targets come from are not known: these are chosen so that the greedy
rule on one model misses as much as there.

\`actor-critic\` begins each run with the weights in \`src/serving/policies/learned/trained-weights.ts\` and learns on from its own decisions. They come from
one training (\`npm run -s bench -- serving --learn FILE\`) on short loads of all kinds, of these three settings and of random fleets as a server has
them, half of them serving all; its seeds are others than those of this table.

`;

/** Machine, date and version. */
const machine = (): string =>
  `${availableParallelism()} cores of an ${cpus()[0]?.model}, ${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}`;

/** The figures of a whole bench, as a page with plots. */
export function writeReport({ deployed, paper }: Record<'deployed' | 'paper', readonly Figure[]>): void {
  const sines = settings.flatMap(({ name, fleet }) => [
    `![share missed](serving/sine-${name}-missed.svg)`,
    ...(fleet.members > 1 ? [`![accuracy](serving/sine-${name}-accuracy.svg)`] : []),
  ]);
  const pictures = `### Over two cycles of the sine

As in the paper's figures 13 (one model) and 14 (three).

${sines.join('\n')}

### How the actor-critic learns

The share of the bound on a sine of another seed, by the decisions it has learned from, of all settings together (\`serving/learning.csv\`).

![all served](serving/learning-served.svg)
![dropping](serving/learning-dropping.svg)
`;
  writeFileSync(
    path.join(experimentsDir, 'serving.md'),
    `${head(machine())}${table(deployed)}\n\n${paperHead}${table(paper)}\n\n${pictures}`,
  );
}

function table(figures: readonly Figure[]): string {
  const rows = figures.map(({ name, value, unit, bar, ok, note }) => {
    const verdict = [ok === null ? '' : ok ? 'ok' : 'short', note ?? ''].filter((part) => part !== '').join('; ');
    return `| ${name} | ${Number(value.toPrecision(4))} | ${unit} | ${bar ?? ''} | ${verdict} |`;
  });
  return ['| figure | value | unit | target | |', '| --- | --- | --- | --- | --- |', ...rows].join('\n');
}
