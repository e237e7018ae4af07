import { fileURLToPath } from 'node:url';
import { PythonProcess } from '../python-process.ts';
import type { Objective } from './bbob/functions.ts';
import type { Budget, Regrets } from './study.ts';

export const howToGetPeer = 'no Optuna on this machine: apt-get install python3-optuna';

const script = fileURLToPath(new URL('./peer.py', import.meta.url));

/** Optuna's TPE with its default settings, in a process of its own, one study at a time. */
export class TuningPeer {
  readonly #python: PythonProcess;

  private constructor(python: PythonProcess) {
    this.#python = python;
  }

  /** Null if Python has no optuna. */
  static async start(): Promise<TuningPeer | null> {
    const python = await PythonProcess.start(script);
    return python && new TuningPeer(python);
  }

  async runStudy({ optimum, value }: Objective, { evaluations, seed }: Budget): Promise<Regrets> {
    const regrets: number[] = [];
    let point = await this.#ask(`new ${seed} ${optimum.length}`);
    while (regrets.length < evaluations) {
      const regret = value(point);
      regrets.push(Math.min(regret, regrets.at(-1) ?? Number.POSITIVE_INFINITY));
      point = await this.#ask(`tell ${regret}`);
    }
    return regrets;
  }

  async #ask(line: string): Promise<number[]> {
    return JSON.parse(await this.#python.ask(line)) as number[];
  }

  stop(): void {
    this.#python.stop();
  }
}
