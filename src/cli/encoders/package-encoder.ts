import { existsSync } from 'node:fs';
import path from 'node:path';
import { InvalidParameter, NotSupported } from '../../errors/errors.ts';
import { MAX_JSON_BYTES, readJson } from './bounded-read.ts';
import type { EncoderSource, EncoderWishes, PackageForm } from './encoder-source.ts';
import { mobileNet } from './mobile-net.ts';
import { sentenceEncoder } from './sentence-encoder.ts';
import { wordVectors } from './word-vectors.ts';

const forms: readonly PackageForm[] = [sentenceEncoder, wordVectors, mobileNet];

/** The encoder in the folder of an npm package, whose form is one of `forms`. */
export async function packageEncoder(folder: string, wishes: EncoderWishes = {}): Promise<EncoderSource> {
  const about = (await readJson(path.join(folder, 'package.json'), MAX_JSON_BYTES)) as Record<string, unknown>;
  const form = forms.find(({ marks }) => marks.every((mark) => existsSync(path.join(folder, mark))));
  if (form === undefined) {
    throw new NotSupported(`the package ${String(about['name'])} is no known form of encoder`, {
      detail: `It has none of these: ${forms.map(({ marks }) => marks.join(' with ')).join('; ')}.`,
      hint: 'Give the files of its ONNX export: --onnx model.onnx with --tokenizer tokenizer.json or --preprocessor preprocessor_config.json.',
    });
  }
  if (form.input === 'text' && wishes.side !== undefined) {
    throw new InvalidParameter('an encoder of texts has no --side', {
      detail: `The package ${String(about['name'])} is one.`,
      hint: 'Leave it out: it is for images.',
    });
  }
  return {
    input: form.input,
    model: await form.read(folder, wishes),
    source: `npm ${String(about['name'])}@${String(about['version'])}`,
    licence: typeof about['license'] === 'string' ? about['license'] : null,
  };
}
