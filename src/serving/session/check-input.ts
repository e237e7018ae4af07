import { InvalidParameter } from '../../errors/errors.ts';
import type { ModelRequest } from '../../protocol/request.ts';
import type { ServedModel } from '../served-model.ts';

/** Refuses a text where the model reads images, and the reverse. */
export function checkInput({ row, inputKind }: ServedModel, request: ModelRequest): void {
  if (inputKind === request.inputKind) return;
  const [fault, hint] =
    inputKind === 'image'
      ? [
          'reads images and was given a text',
          "Give the bytes of an image file: a bytea column, input::bytea, or decode(input, 'base64') where the text is base64. A path is not opened: whoever calls reads the file.",
        ]
      : [
          'reads texts and was given an image',
          'Give a text, or name a model whose task in rafiki.models is one of images.',
        ];
  throw new InvalidParameter(`model "${row.model}" ${fault}`, { detail: `Its task is ${row.task}.`, hint });
}
