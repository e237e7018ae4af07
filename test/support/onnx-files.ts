import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { RawInput, Task } from '../../src/domain/task.ts';
import { checkFile } from '../../src/foreign/check-file.ts';
import { loadForeign } from '../../src/foreign/foreign-model.ts';
import type { CheckedImport } from '../../src/foreign/messages.ts';

const folder = new URL('../fixtures/onnx/', import.meta.url);

/** The path of a file that test/fixtures/onnx/make.py has made. */
export const onnxPath = (name: string): string => fileURLToPath(new URL(`${name}.onnx`, folder));

export const onnxFile = (name: string): Uint8Array => readFileSync(onnxPath(name));

export interface ExpectedRows {
  rows: Record<string, number>[];
  answers: number[][] | number[];
}

export interface ExpectedAnswers {
  sklearn_logistic: ExpectedRows;
  sklearn_boosting: ExpectedRows;
  sklearn_forest: ExpectedRows;
  torch_image: { shape: number[]; answers: number[][] };
  torch_text: { tokenizer: object; text: string; answers: number[][] };
}

/** What the makers of the files answer. */
export const expectedAnswers = JSON.parse(
  readFileSync(new URL('expected.json', folder), 'utf8'),
) as unknown as ExpectedAnswers;

/** Checks a harmless file in this process. */
export const checked = (bytes: Uint8Array, task: Task, spec: Record<string, unknown> = {}): Promise<CheckedImport> =>
  checkFile({ bytes, task, spec, threads: 1 });

/** What its only member answers, [rows, scores]. */
export async function answersOf({ members }: CheckedImport, inputs: readonly RawInput[]): Promise<Float32Array> {
  const [member] = members;
  if (member === undefined) throw new Error('an import without members');
  const model = await loadForeign(member.model.onnx, member.model.features, 1);
  try {
    return await model.answers(inputs);
  } finally {
    await model.release();
  }
}
