/** What the engine that runs a graph supports: ops choose their nodes by it. */
export interface Kernels {
  /** Whether kernels may run on several threads; the fastest kernel of some ops must not. */
  threaded: boolean;
  /** Consecutive channels in the memory of blocked images; 1 is plain NCHW. */
  block: number;
  /** Whether only operators that GPUs support may be used: ONNX Runtime runs others on the CPU and copies the data both ways. */
  portable: boolean;
  /** Whether the engine computes gradients by itself, from one node for all of them. */
  engineGradients: boolean;
}
