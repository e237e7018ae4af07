import { NotSupported } from '../../errors/errors.ts';
import { unknownShape } from '../../graph/graph.ts';
import { LayerConversion, type LayerValue } from './layer-conversion.ts';
import { layerKinds } from './layers.ts';
import type { LayerOutput, LayerStack, TfjsLayer, TfjsLayers } from './layers-json.ts';
import { malformed } from './model-json.ts';

export interface LayersCut {
  /**
   * Layers whose answers make one vector, one after the other: means over pixels of images, other answers as they are; none: the outputs of the model.
   * Images are then fed as [N, C, H, W], as ONNX has them, and may have any size. Without it, the outputs are as they are, and images [N, H, W, C].
   */
  vectorsOf?: readonly string[];
}

/**
 * An ONNX file of a layers model, or of its part up to a layer. Throws {@link NotSupported} for a layer that is not among `layerKinds`, or has
 * settings that are not converted.
 */
export function convertLayers(model: TfjsLayers, { vectorsOf }: LayersCut = {}): Uint8Array {
  const outputs = vectorsOf?.length ? vectorsOf.map((layer) => ({ layer, use: 0 })) : model.outputs;
  const c = new LayerConversion(model.weights);
  const answers = convertStack(c, { ...model, outputs }, (layer, place) =>
    c.input(layer, `input${place}`, vectorsOf !== undefined),
  );
  if (vectorsOf === undefined) {
    for (const [i, answer] of answers.entries()) c.write.output(c.channelsLast(answer), `output${i}`, unknownShape);
  } else {
    const vectors = answers.map((answer, i) => c.vector(answer, layerOf(model, outputs[i] as LayerOutput)));
    c.write.output(c.write.node('Concat', vectors, { attributes: { axis: 1 } }), 'vectors', unknownShape);
  }
  return c.write.encode('converted');
}

/** The answers of a stack; `given` says what its inputs are. */
function convertStack(
  c: LayerConversion,
  stack: LayerStack,
  given: (layer: TfjsLayer, place: number) => LayerValue,
): LayerValue[] {
  const values = new Map<string, LayerValue>();
  const keyOf = ({ layer, use }: LayerOutput): string => `${use} ${layer}`;
  for (const [place, output] of stack.inputs.entries()) values.set(keyOf(output), given(layerOf(stack, output), place));
  for (const output of inOrder(stack)) {
    const layer = layerOf(stack, output);
    if (values.has(keyOf(output))) continue;
    const read = (layer.uses[output.use] ?? []).map((input) => values.get(keyOf(input)) as LayerValue);
    values.set(keyOf(output), convertLayer(c, layer, read));
  }
  return stack.outputs.map((output) => values.get(keyOf(output)) as LayerValue);
}

function convertLayer(c: LayerConversion, layer: TfjsLayer, read: readonly LayerValue[]): LayerValue {
  if (layer.inner !== undefined) {
    const [answer] = convertStack(c, layer.inner, (_, place) => read[place] ?? missing(layer));
    return answer ?? missing(layer);
  }
  const convert = Object.hasOwn(layerKinds, layer.kind) ? layerKinds[layer.kind] : undefined;
  if (convert === undefined) throw unknownLayer(layer);
  const [first = missing(layer)] = read;
  return convert(c, layer, [first, ...read.slice(1)]);
}

function layerOf({ layers }: LayerStack, { layer: name }: LayerOutput): TfjsLayer {
  const layer = layers.find((each) => each.name === name);
  if (layer === undefined) throw malformed(`there is no layer "${name}"`);
  return layer;
}

/** What the outputs need, each after what it reads. */
function inOrder(stack: LayerStack): LayerOutput[] {
  const states = new Map<string, 'open' | 'done'>();
  const ordered: LayerOutput[] = [];
  const waiting = [...stack.outputs];
  // A stack of its own: a long model would be too deep for recursion.
  while (waiting.length > 0) {
    const output = waiting.at(-1) as LayerOutput;
    const key = `${output.use} ${output.layer}`;
    if (states.get(key) === undefined) {
      states.set(key, 'open');
      for (const before of layerOf(stack, output).uses[output.use] ?? []) {
        const state = states.get(`${before.use} ${before.layer}`);
        if (state === 'open') throw malformed(`layer "${before.layer}" reads its own answer`);
        if (state === undefined) waiting.push(before);
      }
      continue;
    }
    waiting.pop();
    if (states.get(key) === 'open') ordered.push(output);
    states.set(key, 'done');
  }
  return ordered;
}

const missing = ({ name }: TfjsLayer): never => {
  throw malformed(`layer "${name}" reads nothing`);
};

const unknownLayer = ({ kind, name }: TfjsLayer): NotSupported =>
  new NotSupported(`the layer ${kind} cannot be converted to ONNX`, {
    detail: `It is layer "${name}" of the TensorFlow.js model.`,
    hint: 'Export the model to ONNX with the tool of the library that it comes from.',
  });
