import { readFile, stat } from 'node:fs/promises';
import { MAX_STORED_TENSOR_BYTES } from '../../domain/tensor.ts';
import { BadData, DataTooLarge, UndefinedObject } from '../../errors/errors.ts';
import { sizeText } from '../../runtime/byte-size.ts';

/** Of one file of an encoder: it is stored as one tensor, and a server holds it in memory, on each inference thread. */
const MAX_FILE_BYTES = MAX_STORED_TENSOR_BYTES;

const SMALLER =
  'Take a smaller encoder, or the same one with weights in 8 or 16 bits: many are published so, as model_quantized.onnx or model_fp16.onnx.';

export const MAX_JSON_BYTES = 64 * 2 ** 20;

/** Reads a whole file. Throws for one that is missing, no file, or too large. */
export async function readBounded(file: string, maxBytes = MAX_FILE_BYTES): Promise<Buffer> {
  const found = await stat(file).catch((cause: unknown) => {
    throw new UndefinedObject(`there is no file ${file}`, { detail: String(cause), hint: 'Check the path.', cause });
  });
  if (!found.isFile()) throw new BadData(`${file} is no file`, { hint: 'Give the path of a file.' });
  if (found.size > maxBytes) {
    throw new DataTooLarge(`${file} is too large`, {
      detail: `It has ${sizeText(found.size)}; the maximum is ${sizeText(maxBytes)}.`,
      hint: maxBytes === MAX_FILE_BYTES ? SMALLER : 'Take a smaller one.',
    });
  }
  return readFile(file);
}

export async function readJson(file: string, maxBytes: number): Promise<unknown> {
  const text = (await readBounded(file, maxBytes)).toString('utf8');
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new BadData(`${file} is no JSON`, {
      detail: cause instanceof Error ? cause.message : String(cause),
      hint: 'It may be cut off: fetch it again.',
      cause,
    });
  }
}

/** Parts one after the other, at most as large as one file may be. */
export async function joined(names: readonly string[], read: (name: string) => Promise<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for (const name of names) {
    const part = await read(name);
    bytes += part.length;
    if (bytes > MAX_FILE_BYTES) {
      throw new DataTooLarge('the weights of the encoder are too large', {
        detail: `They have ${sizeText(bytes)} or more; the maximum is ${sizeText(MAX_FILE_BYTES)}.`,
        hint: SMALLER,
      });
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}
