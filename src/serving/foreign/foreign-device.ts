import { checkedModelBytes } from '../../engine/model-file.ts';
import { ShuttingDown } from '../../errors/errors.ts';
import type { BatchResult, ExplainedEnsemble } from '../devices/device.ts';
import type { EnsembleFiles } from '../devices/replica.ts';
import type { LoadedDevice } from '../devices/resident-device.ts';
import { textSeparator } from '../devices/thread-orders.ts';
import type { Subset } from '../policies/policy.ts';
import { type AnswerForm, answersOfMembers, explanationsOf } from './owner-answers.ts';
import type { OwnerProcess } from './owner-process.ts';

/** An imported model: its batches run in the process of its owner. */
export class ForeignDevice implements LoadedDevice {
  readonly inlineRows = 0;
  /** A typical input, if the model has one of its own. */
  readonly sample: string | undefined;
  readonly #process: OwnerProcess;
  readonly #form: AnswerForm;
  readonly #id: number;

  private constructor(
    process: OwnerProcess,
    form: AnswerForm,
    { id, sample }: { id: number; sample: string | undefined },
  ) {
    this.#process = process;
    this.#form = form;
    this.#id = id;
    this.sample = sample;
  }

  static async load(process: OwnerProcess, files: EnsembleFiles, form: AnswerForm): Promise<ForeignDevice> {
    try {
      return new ForeignDevice(process, form, await process.load(files));
    } catch (error) {
      if (error instanceof ShuttingDown) throw error;
      // the process, whose word is not taken, could neither delete a damaged file nor blame this machine
      for (const { encoder, ...file } of files.models)
        for (const read of [file, encoder]) if (read !== undefined) await checkedModelBytes(read);
      throw error;
    }
  }

  get isFree(): boolean {
    return this.#process.isFree;
  }

  run(inputs: readonly string[], subset: Subset): Promise<BatchResult> {
    const rows = inputs.length;
    return this.#process.run(
      { kind: 'run', id: this.#id, inputs: inputs.join(textSeparator), subset },
      { rows, expected: answersOfMembers(this.#form, subset, rows) },
    );
  }

  explain(orders: readonly string[], ensemble: ExplainedEnsemble): Promise<BatchResult> {
    const joined = orders.join(textSeparator);
    return this.#process.run(
      { kind: 'explain', id: this.#id, orders: joined, ensemble },
      { rows: orders.length * ROWS_OF_EXPLANATION, expected: explanationsOf(orders) },
    );
  }

  /** It has one process. */
  async grow(): Promise<void> {}

  release(): Promise<void> {
    return this.#process.unload(this.#id);
  }
}

/** Rows that an explanation asks a model about take as long as a tenth of them asked one by one. */
const ROWS_OF_EXPLANATION = 50;
