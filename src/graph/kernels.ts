/** What the engine that will run a graph is fast at, or able to do: the ops choose their nodes by it. */
export interface Kernels {
  /** Whether kernels may run on several threads, for ops whose fastest kernel must not. */
  threaded: boolean;
  /** Channels that lie side by side in memory where images are blocked; 1 is plain NCHW. */
  block: number;
  /** Only operators that GPUs have too: ONNX Runtime would run the others on the CPU, with copies there and back. */
  portable: boolean;
  /** Whether the engine finds gradients by itself: then one node stands for all of them. */
  engineGradients: boolean;
}
