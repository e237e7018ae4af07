import { InvalidParameter } from '../../errors/errors.ts';
import type { ModelRequest } from '../../protocol/request.ts';
import type { ServedModel } from '../served-model.ts';

/** Throws InvalidParameter for a text if the model reads images, and the reverse. */
export function checkInput({ row, inputKind }: ServedModel, request: ModelRequest): void {
  if (inputKind === request.inputKind) return;
  const [fault, hint] =
    inputKind === 'image'
      ? [
          'reads images, but the input is a text',
          "Use the bytes of an image file: a bytea column, input::bytea, or decode(input, 'base64') for base64. File paths are not supported: read the file on the client.",
        ]
      : ['reads texts, but the input is an image', 'Use a text, or a model with an image task in rafiki.models.'];
  throw new InvalidParameter(`model "${row.model}" ${fault}`, { detail: `Its task is ${row.task}.`, hint });
}
