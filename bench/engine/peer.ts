import { fileURLToPath } from 'node:url';
import { PythonProcess } from '../python-process.ts';

export const howToGetPeer = 'no PyTorch on this machine: apt-get install python3-torch libopenblas0-openmp';

const script = fileURLToPath(new URL('./peer.py', import.meta.url));

/** PyTorch in a process of its own, one request at a time. */
export class EnginePeer {
  readonly #python: PythonProcess;

  private constructor(python: PythonProcess) {
    this.#python = python;
  }

  /** Null if Python has no torch. */
  static async start(threads: number): Promise<EnginePeer | null> {
    const python = await PythonProcess.start(script, [String(threads)]);
    return python && new EnginePeer(python);
  }

  /** Milliseconds of each of `steps` steps of the named job. */
  async steps(job: string, steps: number): Promise<number[]> {
    return JSON.parse(await this.#python.ask(`${job} ${steps}`)) as number[];
  }

  /** Peak memory of the process so far, in MB. */
  async peakMb(): Promise<number> {
    return Number(await this.#python.ask('peak 0'));
  }

  stop(): void {
    this.#python.stop();
  }
}
