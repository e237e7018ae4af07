import type { BoostingSettings } from './settings.ts';
import { type DerivativeSums, leafValue, type Split } from './split.ts';
import { setWords, type Tree } from './tree.ts';

/** A tree under construction; its nodes are leaves until they are split. */
export class TreeBuilder {
  readonly #settings: BoostingSettings;
  readonly #nodes: { split?: Split; children?: [number, number]; sums: DerivativeSums }[] = [];

  constructor(settings: BoostingSettings, root: DerivativeSums) {
    this.#settings = settings;
    this.#nodes.push({ sums: root });
  }

  /** The numbers of the new nodes, left and right. */
  split(node: number, split: Split): [number, number] {
    const left = this.#nodes.push({ sums: split.left }) - 1;
    const right = this.#nodes.push({ sums: split.right }) - 1;
    this.#nodes[node] = { split, children: [left, right], sums: (this.#nodes[node] as { sums: DerivativeSums }).sums };
    return [left, right];
  }

  finish(): Tree {
    const nodes = this.#nodes;
    const sets = nodes.flatMap(({ split }) => (split?.set ? [split.set] : []));
    const words = new Uint32Array(sets.length * setWords);
    for (const [i, set] of sets.entries()) words.set(set, i * setWords);
    return {
      feature: Int32Array.from(nodes, ({ split }) => split?.feature ?? -1),
      split: Int32Array.from(nodes, ({ split }) => (split?.set ? sets.indexOf(split.set) : (split?.bin ?? 0))),
      left: Int32Array.from(nodes, ({ children }) => children?.[0] ?? -1),
      right: Int32Array.from(nodes, ({ children }) => children?.[1] ?? -1),
      missingLeft: Uint8Array.from(nodes, ({ split }) => Number(split?.missingLeft ?? false)),
      value: Float32Array.from(nodes, ({ split, sums }) => (split ? 0 : this.#valueOf(sums))),
      cover: Float32Array.from(nodes, ({ sums }) => sums.hessian),
      sets: words,
    };
  }

  #valueOf(sums: DerivativeSums): number {
    return sums.hessian === 0 ? 0 : this.#settings.learningRate * leafValue(sums, this.#settings);
  }
}
