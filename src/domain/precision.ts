/** How exactly a model computes: as it was trained, or in bytes, which is quicker and nearly as accurate. */
export type Precision = 'float32' | 'int8';
