import type { DeviceName } from '../../engine/device-name.ts';
import type { ErrorReport } from '../../errors/rafiki-error.ts';
import type { Subset } from '../policies/policy.ts';
import type { ExplainedEnsemble, MemberOutput } from './device.ts';
import type { EnsembleFiles } from './replica.ts';

/** Data that a thread gets at start. */
export interface ThreadData {
  device: DeviceName;
  /** Of the vectors that encoders computed, shared by all threads. */
  vectors: SharedArrayBuffer;
}

/** An order to a thread. Orders are answered in sequence. */
export type ThreadOrder =
  | { kind: 'load'; id: number; files: EnsembleFiles }
  | { kind: 'run'; id: number; inputs: JoinedTexts; subset: Subset }
  | { kind: 'explain'; id: number; orders: JoinedTexts; ensemble: ExplainedEnsemble }
  | { kind: 'unload'; id: number };

/**
 * Texts joined by NUL, which no text in PostgreSQL contains: copying one long string is 5 µs per row faster than many.
 */
type JoinedTexts = string;
export const textSeparator = '\0';

export type Report =
  /** `sample`: of a model that was loaded, a typical input if it has one of its own. */
  { ok: true; outputs: MemberOutput[]; sample?: string } | { ok: false; error: ErrorReport };
