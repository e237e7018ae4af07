import { type Logger, silentLogger } from '../runtime/logger.ts';
import type { DeviceName } from './device-name.ts';

/** What trains. */
export const engineNames = ['onnx', 'tfjs'] as const;
export type EngineName = (typeof engineNames)[number];

/** What a process, or a thread, computes with. */
export interface Computing {
  /** Where ONNX Runtime computes. */
  device: DeviceName;
  engine: EngineName;
  /** Hears of an engine that does not load. */
  logger: Logger;
}

let chosen: Computing = { device: 'cpu', engine: 'onnx', logger: silentLogger };

/** To be called before anything is computed; without it, ONNX Runtime computes on the CPU. */
export function computeWith(choice: Partial<Computing>): void {
  chosen = { ...chosen, ...choice };
}

export const computing = (): Computing => chosen;
