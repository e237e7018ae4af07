/** The numbers that a model computes with: as trained, or in bytes, which is faster and nearly as accurate. */
export type Precision = 'float32' | 'int8';
