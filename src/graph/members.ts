import * as emit from './emit.ts';
import type { Graph, Value } from './graph.ts';

/** The mean of the answers of several networks in one, [members, N, C] → [N, C]; answers of one network, [N, C], stay. */
export function meanOfMembers(g: Graph, answers: Value): Value {
  if (answers.shape.length < 3) return answers;
  return emit.reshape(g, emit.reduce(g, 'ReduceMean', answers, [0]), answers.shape.slice(1));
}
