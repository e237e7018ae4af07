import { NotSupported } from '../../errors/errors.ts';
import { listOf, malformed, objectOf, readWeights, type TfjsWeight } from './model-json.ts';

/** A layer of a layers model. */
export interface TfjsLayer {
  name: string;
  /** Its class in Keras. */
  kind: string;
  config: Readonly<Record<string, unknown>>;
  /** What it reads, for each time that it is used; empty for inputs. */
  uses: readonly (readonly LayerOutput[])[];
  /** The layers of a model that is used as a layer. */
  inner?: LayerStack;
}

/** The answer of a layer's use, as others read it. */
export interface LayerOutput {
  layer: string;
  use: number;
}

/** Layers that read each other, with what goes in and comes out. */
export interface LayerStack {
  layers: readonly TfjsLayer[];
  inputs: readonly LayerOutput[];
  outputs: readonly LayerOutput[];
}

/** A layers model: the layers as they are, the weights decoded. */
export interface TfjsLayers extends LayerStack {
  /** By layer and name, such as `Conv1/kernel`. */
  weights: ReadonlyMap<string, TfjsWeight>;
}

/** Models in models: more are no model, but an attack on the stack. */
const MAX_DEPTH = 8;

/** Whether a model.json has layers, not the nodes of a graph. */
export function isLayersModel(json: unknown): boolean {
  const topology = objectOf(objectOf(json, 'model.json')['modelTopology'], 'modelTopology');
  return topology['node'] === undefined;
}

/** Throws {@link BadData} for a file that is no layers model. */
export function readLayersModel(json: unknown, bytes: Uint8Array): TfjsLayers {
  const model = objectOf(json, 'model.json');
  const topology = objectOf(model['modelTopology'], 'modelTopology');
  const config = topology['model_config'] ?? topology; // Keras writes the first form, TensorFlow.js the second
  const stack = readStack(objectOf(config, 'model_config'), 0);
  const weights = new Map<string, TfjsWeight>();
  for (const [name, weight] of readWeights(model, bytes)) weights.set(name.split('/').slice(-2).join('/'), weight);
  return { ...stack, weights };
}

const isStack = (kind: string): boolean => ['Model', 'Functional', 'Sequential'].includes(kind);

function readStack({ class_name: kind, config }: Record<string, unknown>, depth: number): LayerStack {
  if (!isStack(String(kind))) throw malformed(`its model is of the kind ${String(kind)}`);
  if (depth > MAX_DEPTH) throw malformed('its models are nested too deeply');
  if (kind === 'Sequential') return readSequence(Array.isArray(config) ? { layers: config } : config, depth);
  const fields = objectOf(config, 'config');
  const layers = listOf(fields['layers'], 'layers').map((value) => readLayer(value, depth));
  const outputs = listOf(fields['output_layers'], 'output_layers').map(readOutput);
  const read = [...outputs, ...layers.flatMap(({ uses }) => uses.flat())];
  return {
    layers: layers.map((layer) => {
      const isBeyond = read.some((output) => output.layer === layer.name && output.use >= layer.uses.length);
      // a model counts as its own first use, which is not listed
      return layer.inner !== undefined && isBeyond ? { ...layer, uses: [[], ...layer.uses] } : layer;
    }),
    inputs: listOf(fields['input_layers'], 'input_layers').map(readOutput),
    outputs,
  };
}

/** Each layer reads the one before it; an input is added if the first is none. */
function readSequence(config: unknown, depth: number): LayerStack {
  const given = listOf(objectOf(config, 'config')['layers'], 'layers').map((value) => readLayer(value, depth));
  const [first, last] = [given[0], given.at(-1)];
  if (first === undefined || last === undefined) throw malformed('it has no layers');
  const shape = first.config['batch_input_shape'] ?? first.inner?.layers[0]?.config['batch_input_shape'];
  const input: TfjsLayer = { name: 'input of a sequence', kind: 'InputLayer', config: {}, uses: [] };
  const layers = first.kind === 'InputLayer' ? given : [{ ...input, config: { batch_input_shape: shape } }, ...given];
  return {
    layers: layers.map((layer, i) =>
      i === 0 ? layer : { ...layer, uses: [[{ layer: layers[i - 1]?.name ?? '', use: 0 }]] },
    ),
    inputs: [{ layer: layers[0]?.name ?? '', use: 0 }],
    outputs: [{ layer: last.name, use: 0 }],
  };
}

function readLayer(value: unknown, depth: number): TfjsLayer {
  const layer = objectOf(value, 'layer');
  const config = Array.isArray(layer['config']) ? {} : objectOf(layer['config'], 'config');
  const [kind, name] = [String(layer['class_name']), String(layer['name'] ?? config['name'])];
  const uses = listOf(layer['inbound_nodes'] ?? [], 'inbound_nodes').map((use) => {
    if (!Array.isArray(use))
      throw new NotSupported('a layers model of Keras 3 cannot be converted', {
        detail: `Layer "${name}" says what it reads in another form than Keras 2.`,
        hint: 'Export the model to ONNX with the tool of the library that it comes from.',
      });
    return use.map(readOutput);
  });
  return { name, kind, config, uses, ...(isStack(kind) ? { inner: readStack(layer, depth + 1) } : {}) };
}

/** [layer, use, output, …]: only layers with one output are known. */
function readOutput(value: unknown): LayerOutput {
  const [layer, use, output] = listOf(value, 'node');
  if (typeof layer !== 'string' || typeof use !== 'number' || output !== 0)
    throw malformed('what a layer reads is no output of another');
  return { layer, use };
}
