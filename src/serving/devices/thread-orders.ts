import type { DeviceName } from '../../engine/device-name.ts';
import type { ErrorReport } from '../../errors/rafiki-error.ts';
import type { Subset } from '../policies/policy.ts';
import type { MemberOutput } from './device.ts';
import type { EnsembleFiles } from './replica.ts';

/** What a thread is told when it starts. */
export interface ThreadData {
  device: DeviceName;
}

/** What the pool asks of a thread. Every order is answered, in turn. */
export type ThreadOrder =
  | { kind: 'load'; id: number; files: EnsembleFiles }
  | { kind: 'run'; id: number; inputs: JoinedTexts; subset: Subset }
  | { kind: 'unload'; id: number };

/** Texts end to end with NUL between, which no text of PostgreSQL has: one long string is copied 5 µs a row faster than many. */
export type JoinedTexts = string;
export const textSeparator = '\0';

export type Report = { ok: true; outputs: MemberOutput[] } | { ok: false; error: ErrorReport };
