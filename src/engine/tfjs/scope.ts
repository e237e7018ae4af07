import type { Tensor } from './call.ts';

/** Tensors by name; a loop's body can access those of the outer graph. */
export class Scope {
  readonly #parent: Scope | null;
  readonly #tensors = new Map<string, Tensor>();

  constructor(parent: Scope | null = null) {
    this.#parent = parent;
  }

  get(name: string): Tensor {
    const tensor = this.#tensors.get(name) ?? this.#parent?.get(name);
    if (tensor === undefined) throw new RangeError(`no tensor named "${name}"`);
    return tensor;
  }

  set(name: string, tensor: Tensor): void {
    this.#tensors.set(name, tensor);
  }
}
