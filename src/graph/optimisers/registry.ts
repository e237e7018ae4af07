import { adam } from './adam.ts';
import { adamw } from './adamw.ts';
import { nesterov } from './nesterov.ts';
import type { Optimiser } from './optimiser.ts';
import { sgd } from './sgd.ts';

export const optimisers = { sgd, nesterov, adam, adamw } as const satisfies Record<string, Optimiser>;
export type OptimiserName = keyof typeof optimisers;
