import { reportError } from '../../errors/rafiki-error.ts';
import type { MemberOutput } from './device.ts';
import { Replica } from './replica.ts';
import { type Report, type ThreadOrder, textSeparator } from './thread-orders.ts';

/** The ensembles of a thread or a process, and the execution of its orders, one after another: a model must not be unloaded while it runs. */
export class ReplicaOrders {
  readonly #replicas = new Map<number, Replica>();
  readonly #reply: (report: Report) => void;
  /** Replies are matched with orders by position. */
  #last: Promise<void> = Promise.resolve();

  constructor(reply: (report: Report) => void) {
    this.#reply = reply;
  }

  receive(order: ThreadOrder): void {
    this.#last = this.#last.then(() => this.#report(order)).then(this.#reply);
  }

  async #report(order: ThreadOrder): Promise<Report> {
    try {
      return { ok: true, ...(await this.#execute(order)) };
    } catch (error) {
      return { ok: false, error: reportError(error) };
    }
  }

  async #execute(order: ThreadOrder): Promise<{ outputs: MemberOutput[]; sample?: string }> {
    const replica = this.#replicas.get(order.id);
    switch (order.kind) {
      case 'load': {
        const loaded = await Replica.load(order.files);
        this.#replicas.set(order.id, loaded);
        return { outputs: [], ...(loaded.sample === undefined ? {} : { sample: loaded.sample }) };
      }
      case 'run':
        if (replica === undefined) throw notLoaded(order);
        return { outputs: await replica.run(order.inputs.split(textSeparator), order.subset) };
      case 'explain':
        if (replica === undefined) throw notLoaded(order);
        return { outputs: await replica.explain(order.orders.split(textSeparator), order.ensemble) };
      case 'unload':
        this.#replicas.delete(order.id);
        await replica?.release();
        return { outputs: [] };
    }
  }
}

const notLoaded = ({ id }: ThreadOrder): Error => new Error(`model ${id} is not loaded on this thread`);
