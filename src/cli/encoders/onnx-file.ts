import { BadData, NotSupported } from '../../errors/errors.ts';
import { checkedOutline } from '../../foreign/onnx-check.ts';
import type { OnnxOutline, OnnxValue } from '../../graph/onnx-outline.ts';

/** Might never end, and encoders have none. */
const endless = new Set([':Loop', ':Scan']);

/** What an encoder's file says of itself. Throws as {@link checkedOutline}, and for one that has more than a graph of operators that end. */
export function outlineOf(bytes: Uint8Array): OnnxOutline {
  const outline = checkedOutline(bytes);
  const refused = [...outline.ops].filter((op) => endless.has(op));
  if (refused.length === 0 && outline.functions.size === 0) return outline;
  throw new NotSupported('the ONNX file has operators that are refused', {
    detail: refused.length > 0 ? `They are: ${refused.join(', ')}.` : 'It defines functions of its own.',
    hint: 'Operators of ONNX and of ONNX Runtime are accepted, but loops, which might not end: export it again without them.',
  });
}

/** The first of `names` that there is, or the only one. */
export function vectorOutputOf(outputs: readonly OnnxValue[], names: readonly string[]): OnnxValue {
  for (const name of names) {
    const named = outputs.find((output) => output.name === name);
    if (named !== undefined) return named;
  }
  const [only, ...more] = outputs;
  if (only !== undefined && more.length === 0) return only;
  throw new BadData('which output of the ONNX file is the vector cannot be told', {
    detail: `Its outputs are: ${outputs.map(({ name }) => name).join(', ')}.`,
    hint: `Export it with one output, or with one of these names: ${names.join(', ')}.`,
  });
}
