import type { Constant, Node } from '../graph.ts';
import { gradientRules, isDiscrete, opName } from './gradients/registry.ts';
import type { OnnxGraph } from './read-onnx.ts';

/** What can be trained of a foreign graph. */
export interface Trainable {
  /** Its weights whose gradients can be computed, in the order of their use, without tables. */
  weights: readonly Constant[];
  /**
   * Tables of vectors, from which rows are taken. They stay as they are: most of their rows are in no text of a study, and a step would update all of
   * them; and the row of padding, often zeros that are added up, must not change.
   */
  tables: readonly Constant[];
  /** Operators without gradients, between weights and the output, by name. */
  missing: readonly string[];
}

/** Numbers of a weight: fewer are no weights, but constants such as a scale. */
const MIN_NUMBERS = 2;

/** The nodes that an output needs, in order. */
export function neededNodes(nodes: readonly Node[], output: string): Node[] {
  const needed = new Set([output]);
  const kept = [...nodes].reverse().filter((node) => {
    if (!node.outputs.some((name) => needed.has(name))) return false;
    for (const name of node.inputs) needed.add(name);
    return true;
  });
  return kept.reverse();
}

/** The weights from which only operators with gradients lead to the output. `nodes` are those that it needs. */
export function trainable({ constants, weights }: OnnxGraph, nodes: readonly Node[], output: string): Trainable {
  const live = new Set([output]);
  const blocked = new Set<string>();
  const missing = new Set<string>();
  for (const node of [...nodes].reverse()) {
    if (isDiscrete(node) || !node.outputs.some((name) => live.has(name))) continue;
    const rule = gradientRules[opName(node)];
    if (rule === undefined) missing.add(opName(node).replace(/^:/, ''));
    const isBlocked = rule === undefined || node.outputs.some((name) => blocked.has(name));
    node.inputs.forEach((name, place) => {
      if (rule?.through !== undefined && !rule.through.includes(place)) return;
      live.add(name);
      if (isBlocked) blocked.add(name);
    });
  }
  const used = [...new Set(nodes.flatMap(({ inputs }) => inputs))];
  const found = used.flatMap((name) => {
    const weight = constants.get(name);
    const isFree = weights.has(name) && live.has(name) && !blocked.has(name);
    return weight !== undefined && isFree && isWeight(weight) ? [weight] : [];
  });
  const gathered = new Set(nodes.flatMap(({ op, inputs }) => (op.startsWith('Gather') ? inputs.slice(0, 1) : [])));
  return {
    weights: found.filter(({ name }) => !gathered.has(name)),
    tables: found.filter(({ name }) => gathered.has(name)),
    missing: [...missing].sort(),
  };
}

const isWeight = ({ dtype, shape, data }: Constant): boolean =>
  dtype === 'float32' && shape.length > 0 && data.byteLength >= 4 * MIN_NUMBERS;
