import type { InputKind } from '../../domain/task.ts';
import { InvalidParameter } from '../../errors/errors.ts';
import type { ModelRequest } from '../../protocol/request.ts';
import type { ServedModel } from '../served-model.ts';

const readings: Readonly<Record<InputKind, string>> = { text: 'texts', image: 'images', columns: 'columns' };

const hints: Readonly<Record<InputKind, string>> = {
  image:
    "Use the bytes of an image file: a bytea column, input::bytea, or decode(input, 'base64') for base64. File paths are not supported: read the file on the client.",
  text: 'Use a text, or a model with an image task in rafiki.models.',
  columns: 'Give a row, as in rafiki_predict(model, c) from customers c, or a JSON object of its columns.',
};

/** Throws InvalidParameter for a text if the model reads images, and the reverse. A row is sent as a text: a JSON object. */
export function checkInput({ row, inputKind }: ServedModel, request: ModelRequest): void {
  if ((inputKind === 'image') === (request.inputKind === 'image')) return;
  const given = request.inputKind === 'image' ? 'an image' : 'a text';
  throw new InvalidParameter(`model "${row.model}" reads ${readings[inputKind]}, but the input is ${given}`, {
    detail: `Its task is ${row.task}.`,
    hint: hints[inputKind],
  });
}
