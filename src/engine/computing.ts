import { type Logger, silentLogger } from '../runtime/logger.ts';
import type { DeviceName } from './device-name.ts';

/** The training engines. */
export const engineNames = ['onnx', 'tfjs'] as const;
type EngineName = (typeof engineNames)[number];

/** The engine and device of a process or thread. */
export interface Computing {
  /** The device of ONNX Runtime. */
  device: DeviceName;
  engine: EngineName;
  /** Receives a warning if the engine does not load. */
  logger: Logger;
}

let chosen: Computing = { device: 'cpu', engine: 'onnx', logger: silentLogger };

/** Must be called before any computation; the default is ONNX Runtime on the CPU. */
export function computeWith(choice: Partial<Computing>): void {
  chosen = { ...chosen, ...choice };
}

export const computing = (): Computing => chosen;
