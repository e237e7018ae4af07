import type { InputKind } from '../../domain/task.ts';
import { BadData, NotSupported } from '../../errors/errors.ts';
import { checkTokenizer, tokenInputs } from '../../features/pretrained/tokens.ts';
import type { OnnxOutline, OnnxValue } from '../../graph/onnx-outline.ts';
import { onlyInput, shown, typeOf } from '../graph-values.ts';
import type { ForeignPlan, TextsPlan, TokensPlan } from '../plan.ts';
import type { ImportSpec } from '../spec.ts';
import { chooseColumns } from './choose-columns.ts';
import { choosePictures } from './choose-pictures.ts';

/** How inputs of a kind become those of the graph. */
export type ChosenInput = Pick<ForeignPlan, 'input' | 'batch' | 'columns'>;

/** Tokens of a text, unless the file or its maker say otherwise. */
const MAX_TOKENS = 256;

/** From the shapes that the file declares, and from `spec`. Throws BadData for a graph that cannot read such inputs. */
export function chooseInput({ inputs }: OnnxOutline, spec: ImportSpec, kind: InputKind): ChosenInput {
  if (inputs.length === 0) {
    throw new BadData('the ONNX file has no input', {
      hint: 'A graph of constants always answers the same: export the model itself.',
    });
  }
  const batches = new Set(inputs.map(({ dims }) => dims?.[0] ?? null));
  if (batches.size > 1 && !batches.has(null)) {
    throw new BadData('the inputs of the ONNX file have different numbers of rows', {
      detail: inputs.map(shown).join(', '),
      hint: 'The first dimension of each input must be the rows of a batch.',
    });
  }
  const batch = [...batches].find((rows) => rows !== null) ?? null;
  if (kind === 'columns') return { ...chooseColumns(inputs, spec), batch };
  if (kind === 'image') return { input: choosePictures(onlyInput(inputs, spec, 'images'), spec), batch, columns: [] };
  const input = spec.tokenizer === undefined ? chooseTexts(inputs, spec) : chooseTokens(inputs, spec);
  return { input, batch, columns: [] };
}

function chooseTexts(inputs: readonly OnnxValue[], spec: ImportSpec): TextsPlan {
  const needsTokens = inputs.some(({ name }) => name === tokenInputs[0]);
  if (needsTokens) {
    throw new BadData('the ONNX file reads numbers of tokens, and no tokenizer is given', {
      detail: `Its inputs: ${inputs.map(shown).join(', ')}.`,
      hint: 'Give it in spec: {"tokenizer": …}, the object in the tokenizer.json that the model was trained with.',
    });
  }
  const value = onlyInput(inputs, spec, 'texts');
  if (typeOf(value) === 'string')
    return { kind: 'texts', name: value.name, tail: (value.dims ?? [null]).slice(1).map(() => 1) };
  throw new BadData('the ONNX file reads no texts', {
    detail: `Its input: ${shown(value)}, of type ${typeOf(value)}.`,
    hint: 'Export the pipeline with its vectoriser, so that it reads strings; or give the "tokenizer" in spec.',
  });
}

function chooseTokens(inputs: readonly OnnxValue[], spec: ImportSpec): TokensPlan {
  const strange = inputs.filter(({ name }) => !tokenInputs.some((known) => known === name));
  if (strange.length > 0 || !inputs.some(({ name }) => name === tokenInputs[0])) {
    throw new BadData('the inputs of the ONNX file are not those of a tokenizer', {
      detail: `They are: ${inputs.map(shown).join(', ')}.`,
      hint: `It must read input_ids, and may read ${tokenInputs.slice(1).join(' and ')}.`,
    });
  }
  const kinds = new Set(inputs.map(typeOf));
  const [type] = kinds;
  if (kinds.size !== 1 || (type !== 'int64' && type !== 'int32')) {
    throw new NotSupported('the numbers of tokens must be int64 or int32', { hint: 'Export the model again.' });
  }
  checkTokenizer(Object(spec.tokenizer) as object, '"tokenizer" in spec');
  const width = inputs.map(({ dims }) => dims?.[1] ?? null).find((dim) => dim !== null) ?? null;
  const tokens = {
    tokenizer: JSON.stringify(spec.tokenizer),
    maxTokens: Math.min(spec.maxTokens ?? MAX_TOKENS, width ?? Number.POSITIVE_INFINITY),
    prefix: spec.prefix ?? '',
    inputs: inputs.map(({ name }) => name),
  };
  return { kind: 'tokens', tokens, type, width };
}
