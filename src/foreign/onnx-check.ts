import type { ForeignSession } from '../engine/foreign/session.ts';
import { openForeign } from '../engine/foreign/session.ts';
import { BadData, NotSupported } from '../errors/errors.ts';
import { type OnnxOutline, outlineOnnx, runtimeDomains } from '../graph/onnx-outline.ts';
import { reasonOf } from './foreign-model.ts';

/** The outline of a file that may be loaded. Throws for one that is none, needs libraries, or would read other files. */
export function checkedOutline(bytes: Uint8Array): OnnxOutline {
  const outline = readOutline(bytes);
  const refused = [...outline.ops].filter(
    (op) => !runtimeDomains.has(op.slice(0, op.lastIndexOf(':'))) && !outline.functions.has(op),
  );
  if (refused.length > 0) {
    throw new NotSupported('the ONNX file has operators of another library', {
      detail: `They are: ${refused.slice(0, 10).join(', ').slice(0, 400)}.`,
      hint: 'Export it with operators of ONNX (domains ai.onnx and ai.onnx.ml) and of ONNX Runtime (com.microsoft) alone.',
    });
  }
  if (outline.hasExternalData) throw weightsElsewhere();
  return outline;
}

export const weightsElsewhere = (): NotSupported =>
  new NotSupported('the ONNX file has its weights in other files', {
    detail: 'They are external data, which an import does not have.',
    hint: 'Save it as one file: onnx.save(onnx.load("model.onnx"), "whole.onnx").',
  });

function readOutline(bytes: Uint8Array): OnnxOutline {
  try {
    return outlineOnnx(bytes);
  } catch (cause) {
    const cutOff = bytes.length > 16 && bytes[0] === 8; // a model begins with its version
    throw new BadData(cutOff ? 'the ONNX file is cut off, or damaged' : 'the file is no ONNX model', {
      detail: `${cause instanceof Error ? cause.message : String(cause)}; it has ${bytes.length} bytes.`,
      hint: 'It may be cut off, a pointer of Git LFS, or of another format: export or fetch it again.',
      cause,
    });
  }
}

/** Loads a graph. Throws NotSupported for an operator that ONNX Runtime does not have, and BadData for other faults. */
export async function openChecked(bytes: Uint8Array, threads: number): Promise<ForeignSession> {
  try {
    return await openForeign(bytes, threads);
  } catch (cause) {
    const detail = reasonOf(cause);
    if (/No Op registered|is not a registered function|Could not find an implementation|opset/i.test(detail)) {
      throw new NotSupported('ONNX Runtime does not know an operator of the file', {
        detail,
        hint: 'Export it for an older operator set (opset_version=17), or without that operator.',
        cause,
      });
    }
    throw new BadData('ONNX Runtime cannot load the file', {
      detail,
      hint: 'Check it with onnx.checker, or export it again.',
      cause,
    });
  }
}
