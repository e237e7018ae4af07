import type { TargetUnit } from '../domain/kinds/kind.ts';
import { Graph, type Value } from '../graph/graph.ts';
import { encodeModel } from '../graph/onnx.ts';
import type { FeatureBins } from './feature-bins.ts';
import type { Forest } from './forest.ts';
import { divisionAt, namedCategories, type Tree } from './tree.ts';

/** ONNX's number of 64-bit floats. */
const double = 11;

const plainUnit: TargetUnit = { mean: 0, scale: 1 };

/**
 * An ONNX file with the input `features`, [N, columns] of float32 with NaN for missing values, and the output `probabilities`,
 * [N, classes], or `numbers`, [N, 1], as mean + scale · score in the unit of the target.
 */
export function exportForest(forest: Forest, unit = plainUnit): Uint8Array {
  const g = new Graph('forest');
  const features = g.input('features', ['N', forest.features.length]);
  g.output(forestAnswer(g, forest, { features, unit }), forest.objective === 'log_loss' ? 'probabilities' : 'numbers');
  return encodeModel(g);
}

/**
 * Adds the forest's answer to a graph. Scores are summed as doubles, as in training, and then rounded to float32: sums of
 * float32 depend on their order, and were not those of training.
 */
function forestAnswer(g: Graph, forest: Forest, { features, unit }: { features: Value; unit: TargetUnit }): Value {
  const outputs = forest.base.length;
  const wide = g.node('Cast', [features], features.shape, { attributes: { to: double } });
  const options = { domain: 'ai.onnx.ml', attributes: ensembleOf(forest, unit) };
  const scores = g.node('TreeEnsembleRegressor', [wide], ['N', outputs], options);
  if (forest.objective !== 'log_loss') return scores;
  if (outputs > 1) return g.node('Softmax', [scores], scores.shape, { attributes: { axis: 1 } });
  const second = g.node('Sigmoid', [scores], scores.shape);
  const first = g.node('Sub', [g.scalar(1), second], scores.shape);
  return g.node('Concat', [first, second], ['N', 2], { attributes: { axis: 1 } });
}

/** The attributes of TreeEnsembleRegressor (ai.onnx.ml, version 3), with one entry for each node or leaf of all trees. */
class EnsembleAttributes {
  readonly #features: readonly FeatureBins[];
  readonly #nodes = { tree: [] as number[], id: [] as number[], feature: [] as number[], mode: [] as string[] };
  readonly #branches = { value: [] as number[], yes: [] as number[], no: [] as number[], missingYes: [] as number[] };
  readonly #leaves = { tree: [] as number[], id: [] as number[], target: [] as number[], weight: [] as number[] };
  #trees = 0;
  #first = 0;

  constructor(features: readonly FeatureBins[]) {
    this.#features = features;
  }

  add(tree: Tree, target: number): void {
    this.#first = this.#nodes.id.length;
    this.#addNode(tree, 0, target);
    this.#trees++;
  }

  /** Leaves and base values are given in the unit as doubles, so that a number is rounded once. */
  attributes(base: Float32Array, { mean, scale }: TargetUnit) {
    return {
      n_targets: base.length,
      base_values_as_tensor: { doubles: Float64Array.from(base, (start) => mean + scale * start) },
      nodes_treeids: this.#nodes.tree,
      nodes_nodeids: this.#nodes.id,
      nodes_featureids: this.#nodes.feature,
      nodes_modes: { strings: this.#nodes.mode },
      nodes_values_as_tensor: { doubles: Float64Array.from(this.#branches.value) },
      nodes_truenodeids: this.#branches.yes,
      nodes_falsenodeids: this.#branches.no,
      nodes_missing_value_tracks_true: this.#branches.missingYes,
      target_treeids: this.#leaves.tree,
      target_nodeids: this.#leaves.id,
      target_ids: this.#leaves.target,
      target_weights_as_tensor: { doubles: Float64Array.from(this.#leaves.weight, (weight) => scale * weight) },
    };
  }

  /** Returns the node's number in its tree; of a set of categories, that of the first node. */
  #addNode(tree: Tree, node: number, target: number): number {
    const f = tree.feature[node] as number;
    if (f < 0) {
      const [id] = this.#push('LEAF', 0, 0);
      this.#leaves.tree.push(this.#trees);
      this.#leaves.id.push(id);
      this.#leaves.target.push(target);
      this.#leaves.weight.push(tree.value[node] as number);
      return id;
    }
    const { categorical, edges } = this.#features[f] as FeatureBins;
    const { bin, set, missingLeft } = divisionAt(tree, node, categorical);
    const child = (side: 'left' | 'right'): number => this.#addNode(tree, tree[side][node] as number, target);
    if (!set) {
      const [id, place] = this.#push('BRANCH_LEQ', f, edges[bin - 1] ?? Number.POSITIVE_INFINITY);
      this.#branches.missingYes[place] = Number(missingLeft);
      this.#link(place, child('left'), child('right'));
      return id;
    }
    const tests = namedCategories(edges, { bin, set, missingLeft }).map((code) => this.#push('BRANCH_EQ', f, code));
    const [left, right] = [child('left'), child('right')];
    const [yes, no] = missingLeft ? [right, left] : [left, right];
    for (const [i, [, place]] of tests.entries()) this.#link(place, yes, tests[i + 1]?.[0] ?? no);
    return tests[0]?.[0] ?? no;
  }

  #link(place: number, yes: number, no: number): void {
    this.#branches.yes[place] = yes;
    this.#branches.no[place] = no;
  }

  /** The node's number in its tree, and its place among all. */
  #push(mode: string, feature: number, value: number): [number, number] {
    const place = this.#nodes.id.length;
    const id = place - this.#first;
    this.#nodes.tree.push(this.#trees);
    this.#nodes.id.push(id);
    this.#nodes.feature.push(feature);
    this.#nodes.mode.push(mode);
    this.#branches.value.push(value);
    this.#branches.yes.push(0);
    this.#branches.no.push(0);
    this.#branches.missingYes.push(0);
    return [id, place];
  }
}

const noSplit: Tree = {
  feature: Int32Array.of(-1),
  split: Int32Array.of(0),
  left: Int32Array.of(-1),
  right: Int32Array.of(-1),
  missingLeft: Uint8Array.of(0),
  value: Float32Array.of(0),
  cover: Float32Array.of(0),
  sets: new Uint32Array(),
};

function ensembleOf({ features, base, trees }: Forest, unit: TargetUnit) {
  const ensemble = new EnsembleAttributes(features);
  // ONNX Runtime reads no ensemble without trees, and forgets where a score starts that has none.
  const added = trees.length > 0 ? trees : Array.from(base, () => noSplit);
  for (const [i, tree] of added.entries()) ensemble.add(tree, i % base.length);
  return ensemble.attributes(base, unit);
}
