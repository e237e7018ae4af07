import { type ForeignType, foreignTypes } from '../engine/foreign/session.ts';
import { BadData, NotSupported } from '../errors/errors.ts';
import { type OnnxValue, valueTypes } from '../graph/onnx-outline.ts';
import type { ImportSpec } from './spec.ts';

const types = new Map<number, ForeignType>(foreignTypes.map((name) => [valueTypes[name], name]));

/** The element type of an input. Throws NotSupported for one that is not fed here, such as half precision. */
export function typeOf({ name, type }: OnnxValue): ForeignType {
  const known = types.get(type);
  if (known !== undefined) return known;
  throw new NotSupported(`input "${name}" of the ONNX file has an element type that is not supported`, {
    detail: `It is number ${type} of ONNX' TensorProto.DataType.`,
    hint: `Export it with inputs of one of these: ${foreignTypes.join(', ')}.`,
  });
}

export const shown = ({ name, dims }: OnnxValue): string =>
  `${name} [${dims === null ? '…' : dims.map((dim) => dim ?? '?').join(', ')}]`;

export function onlyInput(inputs: readonly OnnxValue[], { input }: ImportSpec, what: string): OnnxValue {
  const named = input === undefined ? undefined : inputs.find(({ name }) => name === input);
  if (input !== undefined && named === undefined)
    throw new BadData(`the ONNX file has no input "${input}"`, {
      hint: `Its inputs: ${inputs.map(shown).join(', ')}.`,
    });
  const [only] = inputs;
  if (only !== undefined && inputs.length === 1) return only;
  throw new BadData(`a model that reads ${what} has one input, and the ONNX file has ${inputs.length}`, {
    detail: inputs.map(shown).join(', ').slice(0, 400),
    hint: 'Export the model with its other inputs fixed.',
  });
}
