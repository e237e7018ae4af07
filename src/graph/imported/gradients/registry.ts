import type { Node } from '../../graph.ts';
import { elementwise } from './elementwise.ts';
import type { GradientRule } from './gradient.ts';
import { normalising } from './normalising.ts';
import { products } from './products.ts';
import { reductions } from './reductions.ts';
import { shaping } from './shaping.ts';

/** How to differentiate operators of foreign graphs, by domain and name. The tests have a case for each. */
export const gradientRules: Readonly<Record<string, GradientRule>> = {
  ...elementwise,
  ...products,
  ...normalising,
  ...reductions,
  ...shaping,
};

/** Their answers are whole numbers or conditions, through which no gradient flows. */
const discrete = new Set(
  [
    ...['Shape', 'Size', 'Equal', 'Less', 'LessOrEqual', 'Greater', 'GreaterOrEqual', 'And', 'Or', 'Not', 'Xor'],
    ...['ArgMax', 'ArgMin', 'NonZero', 'IsNaN', 'IsInf', 'ConstantOfShape', 'Range', 'Ceil', 'Floor', 'Round', 'Sign'],
  ].map((op) => `:${op}`),
);

export const opName = ({ domain, op }: Pick<Node, 'domain' | 'op'>): string => `${domain}:${op}`;

/** Float32 and the smaller ones in ONNX. */
const floatTypes: readonly unknown[] = [1, 10, 11, 16];

/** Whether nothing of a node's inputs changes its answers continuously. */
export const isDiscrete = (node: Node): boolean =>
  discrete.has(opName(node)) || (node.op === 'Cast' && !floatTypes.includes(node.attributes['to']));
