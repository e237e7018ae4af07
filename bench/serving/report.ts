import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import path from 'node:path';
import type { Figure } from '../figure.ts';
import { experimentsDir } from '../results.ts';
import { settings } from './workloads.ts';

const head = (machine: string): string => `# Serving: schedulers against the clairvoyant bound

The server itself is measured in [serving-real.md](serving-real.md); this is the simulator's part.

Written by \`npm run -s bench -- serving\`; runs in \`serving/runs.csv\`, bounds in \`serving/bounds.csv\`. Simulated time, seeds 1 to 5, means.
β = 1: an overdue or refused request earns nothing. The bound is a fluid linear program that knows all arrivals and ignores
batching (\`bench/serving/bound.ts\`); loads and profiles are in \`bench/serving/workloads.ts\` and \`profiles.ts\`. The bursts and
on-off loads of the study that the targets come from are not known: these are chosen so that the greedy rule on one model misses as
much as there. Results depend only on the seeds, except the time of a decision: ${machine}.

| figure | value | unit | target | |
| --- | --- | --- | --- | --- |
`;

/** Machine, date and version. */
const machine = (): string =>
  `${availableParallelism()} cores of an ${cpus()[0]?.model}, ${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}`;

/** The figures of a whole bench, as a page with plots. */
export function writeReport(figures: readonly Figure[]): void {
  const rows = figures.map(({ name, value, unit, bar, ok, note }) => {
    const verdict = [ok === null ? '' : ok ? 'ok' : 'short', note ?? ''].filter((part) => part !== '').join('; ');
    return `| ${name} | ${Number(value.toPrecision(4))} | ${unit} | ${bar ?? ''} | ${verdict} |`;
  });
  const plots = settings.flatMap(({ name, fleet }) => [
    `![share missed](serving/sine-${name}-missed.svg)`,
    ...(fleet.members > 1 ? [`![accuracy](serving/sine-${name}-accuracy.svg)`] : []),
  ]);
  writeFileSync(
    path.join(experimentsDir, 'serving.md'),
    `${head(machine())}${rows.join('\n')}\n\n## Over two cycles of the sine\n\n${plots.join('\n')}\n`,
  );
}
