/** Names of a training graph's inputs and outputs. A run of the graph does `K` steps. */
export const feed = {
  steps: 'steps',
  input: (name: string): string => `input.${name}`,
  target: (name: string): string => `target.${name}`,
  /** Where each step's part of a ragged feed begins and ends. */
  bounds: (fed: string): string => `bounds.${fed}`,
  learningRate: 'learning_rate',
  stepSize: 'step_size',
  momentum: 'momentum',
  weightDecay: 'weight_decay',
  dropout: 'dropout',
  clipNorm: 'clip_norm',
  averageDecay: 'average_decay',
  noise: (index: number): string => `noise.${index}`,
  /** Rows of a table that the run uses. */
  window: (parameter: string): string => `window.${parameter}`,
  /** Those of them that each step uses. */
  rows: (parameter: string): string => `rows.${parameter}`,
  state: (tensor: string): string => `in.${tensor}`,
} as const;
export const result = { state: (tensor: string): string => `out.${tensor}`, losses: 'losses' } as const;
