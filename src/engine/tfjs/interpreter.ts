import { NotSupported } from '../../errors/errors.ts';
import type { Constant, Graph, Node } from '../../graph/graph.ts';
import { OperatorCall, type Tensor, type TensorFlow } from './call.ts';
import { type GradientPlan, planGradients } from './gradient-plan.ts';
import { operators } from './registry.ts';
import { Scope } from './scope.ts';
import { constantTensor } from './tensors.ts';

/** Runs the graphs of `src/graph` node by node; gradients are computed by TensorFlow.js. */
export class Interpreter {
  readonly #tf: TensorFlow;
  readonly #constants = new Map<Graph, Map<string, Tensor>>();
  readonly #plans = new Map<Graph, GradientPlan | null>();

  constructor(tf: TensorFlow) {
    this.#tf = tf;
  }

  /** The outputs of a graph, in order. Call it inside `tf.tidy`, which frees the intermediate tensors. */
  run(graph: Graph, inputs: Readonly<Record<string, Tensor>>, parent: Scope | null = null): Tensor[] {
    const scope = new Scope(parent);
    for (const [name, tensor] of this.#constantsOf(graph)) scope.set(name, tensor);
    for (const [name, tensor] of Object.entries(inputs)) scope.set(name, tensor);
    const plan = this.#planOf(graph);
    graph.nodes.forEach((node, index) => {
      if (plan?.differentiated.has(index)) return; // run inside the gradient
      if (index === plan?.index) this.#differentiate(graph, plan, scope);
      else if (node.op === 'Loop') this.#loop(node, scope);
      else this.#execute(node, scope);
    });
    return graph.outputs.map(({ name }) => scope.get(name));
  }

  /** Frees the constants. */
  dispose(): void {
    for (const tensors of this.#constants.values()) for (const tensor of tensors.values()) tensor.dispose();
    this.#constants.clear();
  }

  #execute(node: Node, scope: Scope, read = (name: string): Tensor => scope.get(name)): void {
    const operator = operators[node.op];
    if (operator === undefined) {
      throw new NotSupported(`the TensorFlow.js engine does not support the operator ${node.op}`, {
        hint: 'Train on ONNX Runtime: leave RAFIKI_ENGINE unset.',
      });
    }
    const inputs = node.inputs.map((name) => (name === '' ? undefined : read(name)));
    const result = operator(new OperatorCall(this.#tf, node, inputs));
    const outputs = Array.isArray(result) ? result : [result];
    node.outputs.forEach((name, i) => {
      if (outputs[i] !== undefined) scope.set(name, outputs[i]);
    });
  }

  /**
   * ONNX's Loop: a count, a condition, and states passed from step to step; further outputs of the body are stacked.
   */
  #loop(node: Node, scope: Scope): void {
    const body = bodyOf(node);
    const [steps = 0] = scope.get(node.inputs[0] ?? '').dataSync<'int32'>();
    let states = node.inputs.slice(2).map((name) => scope.get(name));
    const stacked: Tensor[][] = [];
    for (let step = 0; step < steps; step++) {
      const stepInputs = [this.#tf.scalar(step, 'int32'), this.#tf.scalar(true, 'bool'), ...states];
      const inputs = Object.fromEntries(body.inputs.map(({ name }, i) => [name, at(stepInputs, i)]));
      const [, ...stepOutputs] = this.#tf.tidy(() => this.run(body, inputs, scope));
      stacked.push(stepOutputs.slice(states.length));
      const next = stepOutputs.slice(0, states.length);
      // The first states belong to the caller; later ones are freed per step to save memory.
      if (step > 0) for (const state of states) if (!next.includes(state)) state.dispose();
      states = next;
    }
    const scans = node.outputs.slice(states.length).map((_, i) => this.#tf.stack(stacked.map((parts) => at(parts, i))));
    node.outputs.forEach((name, i) => {
      scope.set(name, at([...states, ...scans], i));
    });
  }

  /** Runs all nodes that depend on the targets with TensorFlow.js's tape, and computes the gradients. */
  #differentiate(graph: Graph, plan: GradientPlan, scope: Scope): void {
    const tf = this.#tf;
    const node = at(graph.nodes, plan.index);
    const [loss = '', ...targets] = node.inputs;
    const kept = new Map<string, Tensor>();
    const forward = (): Tensor => {
      const inner = new Scope(scope);
      for (const index of plan.differentiated)
        this.#executeStopped(at(graph.nodes, index), inner, plan.stopped.get(index));
      for (const name of plan.readLater) kept.set(name, tf.keep(inner.get(name)));
      return inner.get(loss);
    };
    const xs = targets.map((name) => scope.get(name));
    const { value, grads } = tf.engine().gradients(forward, xs, undefined, true);
    scope.set(loss, value);
    node.outputs.forEach((name, i) => {
      scope.set(name, grads[i] ?? tf.zerosLike(at(xs, i)));
    });
    for (const [name, tensor] of kept) {
      scope.set(name, tf.clone(tensor)); // so that the caller's tidy frees it
      tensor.dispose();
    }
  }

  /** An input without gradient flow is copied outside of the tape. */
  #executeStopped(node: Node, scope: Scope, stopped: ReadonlySet<string> | undefined): void {
    this.#execute(node, scope, (name) => {
      const tensor = scope.get(name);
      return stopped?.has(name) ? this.#tf.tensor(tensor.dataSync(), tensor.shape, tensor.dtype) : tensor;
    });
  }

  #constantsOf(graph: Graph): Map<string, Tensor> {
    let tensors = this.#constants.get(graph);
    if (tensors === undefined) {
      const keep = (constant: Constant): Tensor => this.#tf.keep(constantTensor(this.#tf, constant));
      tensors = new Map(graph.constants.map((constant) => [constant.name, keep(constant)]));
      this.#constants.set(graph, tensors);
    }
    return tensors;
  }

  #planOf(graph: Graph): GradientPlan | null {
    let plan = this.#plans.get(graph);
    if (plan === undefined) {
      plan = planGradients(graph);
      this.#plans.set(graph, plan);
    }
    return plan;
  }
}

function bodyOf({ op, attributes }: Node): Graph {
  const { body } = attributes;
  if (typeof body === 'object' && 'graph' in body) return body.graph;
  throw new RangeError(`${op} has no body`);
}

function at<T>(values: readonly T[], index: number): T {
  const value = values[index];
  if (value === undefined) throw new RangeError(`no value ${index} of ${values.length}`);
  return value;
}
