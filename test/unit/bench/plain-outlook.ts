import type { Fleet, PolicyOptions, PolicyState, Subset } from '../../../src/serving/policies/policy.ts';

/** One possible batch, or with no rows waiting, and the numbers by which the network sees it. */
export interface PlainProspect {
  subset: Subset;
  from: number;
  rows: number;
  seen: number[];
}

const sum = (values: readonly number[]): number => values.reduce((all, each) => all + each, 0);
const within = (value: number, low: number, high: number): number => Math.max(low, Math.min(high, value));
const bits = (subset: Subset): number[] => [0, 1, 2].filter((m) => (subset & (1 << m)) !== 0);

/**
 * What the actor-critic sees, as its definitions say it: every deadline is read, every subset and size is tried, nothing is
 * kept. For fleets without variants.
 */
export function plainOutlook({ fleet, leavesOut }: PolicyOptions, state: PolicyState): PlainProspect[] {
  const { queue, nowMs, budgetMs } = state;
  const deadlines = Array.from({ length: queue.length }, (_, place) => queue.deadlineMs(place));
  const before = (ms: number): number => deadlines.filter((deadline) => deadline < ms).length;
  const largest = fleet.sizes.at(-1) ?? 1;
  const servers = sum(fleet.stations.map((station) => station.servers));
  const throughput = sum(
    fleet.stations.map((station) => {
      const members = bits(station.members).filter((m) => m < fleet.members);
      return (station.servers * largest) / Math.min(...members.map((m) => fleet.latencyMs(m, largest)));
    }),
  );
  const mostRows = budgetMs * throughput;
  const best = Math.max(...fleet.accuracy);
  const time = (ms: number): number => within(ms / budgetMs, -3, 3);
  const backlog = (rows: number): number => Math.log1p(Math.min(3, rows / mostRows));
  const batches = (rows: number): number => Math.min(2, rows / largest);
  const slack = (place: number, endMs: number): number => within((deadlines[place]! - endMs) / budgetMs, -1, 1);
  const endOf = (subset: Subset, rows: number, fromMs: number): number =>
    Math.max(
      ...usedBy(fleet, subset).map(({ station, s }) => {
        const freeMs = Math.max(fromMs, Math.min(...state.freeMs[s]!));
        return freeMs + fleet.margin * sum(bits(station.members & subset).map((m) => fleet.latencyMs(m, rows)));
      }),
    );
  const prospects: PlainProspect[] = [];
  const busy = state.freeMs.flat().filter((ms) => ms > nowMs);
  const subsets = useful(fleet);
  if (busy.length > 0) {
    const nextMs = Math.min(...busy);
    const readyMs = Math.min(...subsets.map((subset) => endOf(subset, fleet.sizes[0]!, nextMs)));
    const seen = [1, 0, 0, 0, 0, time(nextMs - nowMs), 0, 0, backlog(queue.length), 0, batches(before(readyMs))];
    prospects.push({ subset: 0, from: 0, rows: 0, seen: [...seen, slack(0, readyMs), 0] });
  }
  for (const subset of subsets) {
    if (usedBy(fleet, subset).some(({ s }) => Math.min(...state.freeMs[s]!) > nowMs)) continue;
    const sizes = fleet.sizes.filter((size) => size < queue.length || size === largest);
    const possible = sizes.map((size) => {
      const filled = Math.min(size, queue.length);
      const endMs = endOf(subset, filled, nowMs);
      const from = leavesOut === undefined ? before(endMs) : leavesOut(queue, endMs);
      return { endMs, from, rows: Math.min(filled, queue.length - from) };
    });
    const most = within(Math.floor(18 / subsets.length), 2, 6);
    for (const { endMs, from, rows } of possible.filter((batch) => batch.rows > 0).slice(-most)) {
      const overdue = within(before(endMs) - from, 0, rows);
      const stations = usedBy(fleet, subset);
      const workMs = sum(
        stations.map(({ station }) => sum(bits(station.members & subset).map((m) => fleet.latencyMs(m, rows)))),
      );
      const work = time(workMs / servers);
      const seen = [
        ...[0, Math.min(2, 10 * (best - fleet.accuracy[subset]!))],
        (fleet.accuracy[subset]! * (rows - overdue)) / mostRows,
        ...[(rows - overdue) / largest, overdue / largest, time(endMs - nowMs), work],
        work > 0 ? Math.min(1, rows / mostRows / work) : 1,
        ...[backlog(queue.length - rows), batches(from)],
        batches(Math.max(0, before(2 * endMs - nowMs) - from - rows)),
        ...[slack(from, endMs), stations.length / servers],
      ];
      prospects.push({ subset, from, rows, seen });
    }
  }
  return prospects;
}

const usedBy = (fleet: Fleet, subset: Subset): { station: Fleet['stations'][number]; s: number }[] =>
  fleet.stations.flatMap((station, s) => ((station.members & subset) === 0 ? [] : [{ station, s }]));

/** Those of which no part is as accurate. */
const useful = ({ members, accuracy }: Fleet): Subset[] =>
  Array.from({ length: 2 ** members - 1 }, (_, i) => i + 1).filter(
    (subset) =>
      !Array.from({ length: subset }, (_, part) => part).some(
        (part) => part > 0 && (part & subset) === part && accuracy[part]! >= accuracy[subset]!,
      ),
  );
