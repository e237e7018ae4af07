import type { Graph } from '../graph/graph.ts';
import type { Kernels } from '../graph/kernels.ts';
import type { GraphSession } from './session.ts';

/** Runs training graphs. */
export interface Engine {
  /** For logs. */
  readonly name: string;
  /** Its capabilities, for which graphs are emitted. */
  kernels(threads: number): Promise<Kernels>;
  /** Compiles a graph; the caller must release it. */
  borrow(graph: Graph, threads: number): Promise<GraphSession>;
}
