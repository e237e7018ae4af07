import type { Value } from '../../graph/graph.ts';
import { maxPool } from '../../graph/ops/convolution/pooling.ts';
import type { Tape } from '../../graph/tape.ts';

/** Channels that a module takes and gives. */
export interface Reach {
  from: number;
  to: number;
}

/**
 * The modules of each stage, by the channels that each stage gives; the first module of a stage takes what the stage before gives,
 * or `from`. A module is made by its place (`2_1`: the first of the second stage) and its reach.
 */
export const stagesOf = <Module>(
  channels: readonly number[],
  { from, modules }: { from: number; modules(stage: number): number },
  moduleOf: (place: string, reach: Reach) => Module,
): Module[][] =>
  channels.map((to, i) =>
    Array.from({ length: modules(i) }, (_, j) =>
      moduleOf(`${i + 1}_${j + 1}`, { from: j === 0 ? (channels[i - 1] ?? from) : to, to }),
    ),
  );

/** Through all modules, stage by stage; 2×2 max pooling parts the stages. */
export const throughStages = <Module>(
  t: Tape,
  x: Value,
  stages: readonly (readonly Module[])[],
  through: (x: Value, module: Module) => Value,
): Value => stages.reduce((y, stage, i) => stage.reduce(through, i === 0 ? y : maxPool(t, y, { size: 2 })), x);
