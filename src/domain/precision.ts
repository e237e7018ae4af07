/** How exactly a model computes: as it was trained, or in bytes, which is quicker and nearly as accurate. */
export const precisions = ['float32', 'int8'] as const;
export type Precision = (typeof precisions)[number];
