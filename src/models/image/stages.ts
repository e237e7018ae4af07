import type { Value } from '../../graph/graph.ts';
import { maxPool } from '../../graph/ops/convolution/pooling.ts';
import type { Tape } from '../../graph/tape.ts';

/** Channels of a module's input and output. */
export interface ModuleChannels {
  from: number;
  to: number;
}

/**
 * The modules of each stage, from the output channels of each stage; the first module of a stage has those of the previous stage as
 * input, or `from`. `moduleOf` creates a module from its position (`2_1`: the first of the second stage) and its channels.
 */
export const stagesOf = <Module>(
  channels: readonly number[],
  { from, modules }: { from: number; modules(stage: number): number },
  moduleOf: (position: string, channels: ModuleChannels) => Module,
): Module[][] =>
  channels.map((to, i) =>
    Array.from({ length: modules(i) }, (_, j) =>
      moduleOf(`${i + 1}_${j + 1}`, { from: j === 0 ? (channels[i - 1] ?? from) : to, to }),
    ),
  );

/** Applies all modules, stage by stage, with 2×2 max pooling between the stages. */
export const applyStages = <Module>(
  t: Tape,
  x: Value,
  stages: readonly (readonly Module[])[],
  apply: (x: Value, module: Module) => Value,
): Value => stages.reduce((y, stage, i) => stage.reduce(apply, i === 0 ? y : maxPool(t, y, { size: 2 })), x);
