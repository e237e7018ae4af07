import type { Graph } from '../graph/graph.ts';
import type { Kernels } from '../graph/kernels.ts';
import type { GraphSession } from './session.ts';

/** What runs training graphs. */
export interface Engine {
  /** For logs. */
  readonly name: string;
  /** What it is fast at, or able to do: graphs are emitted for it. */
  kernels(threads: number): Promise<Kernels>;
  /** Compiles a graph; whoever borrows it releases it. */
  borrow(graph: Graph, threads: number): Promise<GraphSession>;
}
