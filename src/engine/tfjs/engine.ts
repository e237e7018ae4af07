import type { Graph } from '../../graph/graph.ts';
import type { Engine } from '../engine.ts';
import type { GraphSession } from '../session.ts';
import type { TensorFlow } from './call.ts';
import { Interpreter } from './interpreter.ts';
import { fromTensor, toTensor } from './tensors.ts';

/**
 * The second engine: TensorFlow.js runs the forward pass and the update of the same graphs, with its own
 * differentiation. Plain layout; any backend of the given library.
 */
export const tensorflowEngine = (tf: TensorFlow): Engine => ({
  name: `tfjs ${tf.getBackend()}`,
  kernels: async () => ({ threaded: true, block: 1, portable: false, engineGradients: true }),
  borrow: async (graph) => createSession(tf, graph),
});

function createSession(tf: TensorFlow, graph: Graph): GraphSession {
  const interpreter = new Interpreter(tf);
  return {
    async run(feeds) {
      const outputs = tf.tidy(() => {
        const inputs = Object.entries(feeds).map(([name, data]) => [name, toTensor(tf, data)] as const);
        return interpreter.run(graph, Object.fromEntries(inputs));
      });
      const results = outputs.map(fromTensor);
      tf.dispose(outputs);
      return Object.fromEntries(results.map((data, i) => [graph.outputs[i]?.name, data]));
    },
    async release() {
      interpreter.dispose();
    },
  };
}
