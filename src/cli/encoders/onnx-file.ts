import { BadData, NotSupported } from '../../errors/errors.ts';
import { type OnnxOutline, type OnnxValue, outlineOnnx, runtimeDomains } from '../../graph/onnx-outline.ts';

/** Might never end, and encoders have none. */
const endless = new Set([':Loop', ':Scan']);

/** What an encoder's file says of itself. Throws for one that is no ONNX file, or that has more than a graph of known operators. */
export function outlineOf(bytes: Uint8Array, file: string): OnnxOutline {
  let outline: OnnxOutline;
  try {
    outline = outlineOnnx(bytes);
  } catch (cause) {
    throw new BadData(`${file} is no ONNX file`, {
      detail: cause instanceof Error ? cause.message : String(cause),
      hint: 'It may be cut off, or a pointer of Git LFS: fetch it again.',
      cause,
    });
  }
  const refused = [...outline.ops].filter(
    (op) => !runtimeDomains.has(op.slice(0, op.lastIndexOf(':'))) || endless.has(op),
  );
  if (refused.length > 0 || outline.functions.size > 0) {
    throw new NotSupported('the ONNX file has operators that are refused', {
      detail: refused.length > 0 ? `They are: ${refused.join(', ')}.` : 'It defines functions of its own.',
      hint: 'Operators of ONNX and of ONNX Runtime are accepted, but loops, which might not end: export it again without them.',
    });
  }
  if (outline.hasExternalData) {
    throw new NotSupported('the ONNX file has its weights in other files', {
      detail: 'They are external data.',
      hint: 'Save it as one file: onnx.save(onnx.load("model.onnx"), "whole.onnx").',
    });
  }
  return outline;
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
