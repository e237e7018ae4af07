import { BadData } from '../../errors/errors.ts';
import type { OnnxValue } from '../../graph/onnx-outline.ts';
import { shown, typeOf } from '../graph-values.ts';
import type { ColumnPart, ColumnsInput, ColumnsPlan, ForeignPlan } from '../plan.ts';
import type { ColumnSpec, ImportSpec } from '../spec.ts';

/** The columns of a row, and the tensors that they make. Throws BadData where they do not fill the inputs of the graph. */
export function chooseColumns(
  inputs: readonly OnnxValue[],
  spec: ImportSpec,
): Pick<ForeignPlan, 'columns'> & { input: ColumnsPlan } {
  const columns = spec.columns ?? namedByInputs(inputs);
  const names = new Set(columns.map(({ name }) => name));
  if (names.size < columns.length)
    throw new BadData('two columns in spec have the same name', { hint: 'Name each column once.' });
  const strange = columns.find(({ input }) => input !== undefined && !inputs.some(({ name }) => name === input));
  if (strange !== undefined)
    throw new BadData(`column "${strange.name}" is for input "${strange.input}", which the ONNX file does not have`, {
      hint: `Its inputs: ${inputs.map(shown).join(', ')}.`,
    });
  const made = inputs.map((value) => inputOf(value, columnsOf(value, columns, inputs.length)));
  return {
    input: { kind: 'columns', inputs: made, missing: spec.missing ?? null },
    columns: columns.map(({ name, type }) => ({ name, kind: type, state: {} })),
  };
}

/** As converters of scikit-learn name the inputs of a data frame: one for each column. */
function namedByInputs(inputs: readonly OnnxValue[]): ColumnSpec[] {
  if (inputs.every(({ dims }) => widthOf(dims) === 1)) {
    return inputs.map((value) => {
      const type = typeOf(value);
      return { name: value.name, type: type === 'string' ? 'text' : type === 'bool' ? 'boolean' : 'number' };
    });
  }
  throw new BadData('the ONNX file does not name the columns that it reads', {
    detail: `Its inputs: ${inputs.map(shown).join(', ').slice(0, 400)}.`,
    hint: 'Name them in spec, in the order of the model: {"columns": [{"name": "age", "type": "number"}, …]}.',
  });
}

/** Numbers of a row; null if that is not fixed. */
function widthOf(dims: readonly (number | null)[] | null): number | null {
  if (dims === null) return null;
  return dims.slice(1).reduce<number | null>((width, dim) => (width === null || dim === null ? null : width * dim), 1);
}

function columnsOf({ name }: OnnxValue, columns: readonly ColumnSpec[], inputs: number): ColumnSpec[] {
  const own = columns.filter(
    (column) => column.input === name || (column.input === undefined && (inputs === 1 || column.name === name)),
  );
  if (own.length > 0) return own;
  throw new BadData(`no column is for input "${name}" of the ONNX file`, {
    hint: 'Say it with "input" in a column of spec, or give a column the name of the input.',
  });
}

function inputOf(value: OnnxValue, columns: readonly ColumnSpec[]): ColumnsInput {
  const declared = widthOf(value.dims);
  const type = typeOf(value);
  const lists = columns.filter((column) => column.type === 'list' && column.length === undefined);
  const known = columns.reduce((sum, column) => sum + (column.type === 'list' ? (column.length ?? 0) : 1), 0);
  if (lists.length > 1 || (lists.length === 1 && declared === null)) {
    throw new BadData('how many numbers an array has is not known', { hint: 'Give its "length" in spec.' });
  }
  const rest = (declared ?? known) - known;
  const parts = columns.map(
    ({ name, ...column }): ColumnPart => ({ name, length: column.type === 'list' ? (column.length ?? rest) : 1 }),
  );
  const width = parts.reduce((sum, { length }) => sum + length, 0);
  if (declared !== null && width !== declared) {
    throw new BadData(
      `input "${value.name}" of the ONNX file reads ${declared} numbers, and the columns give ${width}`,
      {
        detail: `It is ${shown(value)}; its columns: ${columns
          .map(({ name }) => name)
          .join(', ')
          .slice(0, 300)}.`,
        hint: 'Name all columns in spec, in the order of the model.',
      },
    );
  }
  const texts = columns.filter((column) => column.type === 'text');
  if (texts.length > 0 && type !== 'string') {
    throw new BadData(`column "${texts[0]?.name}" is a text, and input "${value.name}" takes numbers of type ${type}`, {
      hint: 'Export the pipeline with its encoder, so that it reads strings; or give numbers.',
    });
  }
  return { name: value.name, type, tail: tailOf(value, width), columns: parts };
}

/** The one dimension that is not fixed has what is left. */
function tailOf({ dims }: OnnxValue, width: number): number[] {
  const tail = dims === null ? [null] : dims.slice(1);
  const fixed = tail.reduce<number>((product, dim) => product * (dim ?? 1), 1);
  let left = width / fixed;
  return tail.map((dim) => {
    if (dim !== null) return dim;
    const own = left;
    left = 1;
    return own;
  });
}
