import type { TensorData } from '../../domain/tensor.ts';
import { answerAll, type EvaluationRows } from '../../engine/evaluate.ts';
import { createSession } from '../../engine/session.ts';
import { FamilyFailed } from '../../errors/errors.ts';

/** What a model has to answer for a row: probabilities of so many classes, or one number. */
export interface WantedAnswers {
  classes: number;
  threads: number;
}

/** How far the probabilities of a row may add up to another number than 1. */
const TOLERANCE = 1e-3;

/**
 * The answers of a command's ONNX file on the rows, as a server computes them, [rows, classes] or [rows, 1]. Throws {@link FamilyFailed} if it has
 * other inputs than the rows, another output, or answers that are none.
 */
export async function answersOfMade(onnx: Uint8Array, rows: EvaluationRows, shape: WantedAnswers): Promise<TensorData> {
  const [one] = await checkNames(onnx, rows, shape);
  const answers = await answerAll(onnx, rows, shape.threads).catch((cause: unknown) => {
    throw noModel('it cannot be run on the validation rows', messageOf(cause), dynamic, cause);
  });
  checkAnswers(answers, rows.count, shape);
  if (one !== undefined) checkAnswers(one, 1, shape);
  return answers;
}

const dynamic = 'Rows, and the length of texts, vary: export the graph with dynamic axes.';

/** Runs it on the first row alone, which a graph for one size of batch may not bear. */
async function checkNames(
  onnx: Uint8Array,
  rows: EvaluationRows,
  { threads }: WantedAnswers,
): Promise<(TensorData | undefined)[]> {
  const session = await createSession(onnx, threads).catch((cause: unknown) => {
    const detail = cause instanceof Error && 'detail' in cause ? String(cause.detail) : messageOf(cause);
    throw noModel('ONNX Runtime cannot load it', detail, 'It is one ONNX file, with its weights.', cause);
  });
  try {
    const feeds = rows.batch(Int32Array.of(0));
    const expected = Object.keys(feeds);
    const { inputs, outputs } = session;
    if ([...inputs].sort().join() !== [...expected].sort().join()) {
      const detail = `Its inputs are ${inputs.join(', ')}; they have to be ${expected.join(', ')}.`;
      throw noModel('its inputs have other names', detail, 'Name the inputs as the tensors of "inputs".');
    }
    if (outputs.length !== 1) {
      const detail = `Its outputs are ${outputs.join(', ')}.`;
      throw noModel('it has not one output', detail, 'Keep the probabilities, or the numbers, as the only output.');
    }
    return Object.values(
      await session.run(feeds).catch((cause: unknown) => {
        throw noModel('it cannot be run on one row', messageOf(cause), dynamic, cause);
      }),
    );
  } finally {
    await session.release();
  }
}

function checkAnswers({ dtype, shape, data }: TensorData, rows: number, { classes }: WantedAnswers): void {
  const width = Math.max(1, classes);
  if (dtype !== 'float32' || !(data instanceof Float32Array) || data.length !== rows * width || shape[0] !== rows) {
    const detail = `It answers ${rows} rows with ${dtype} [${shape.join(', ')}].`;
    throw noModel(`its output is not float32 [N, ${width}]`, detail, 'Rows come first, then classes in their order.');
  }
  const wrong = data.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0)
    throw noModel('it answers with what is no number', `Row ${Math.floor(wrong / width)}: ${data[wrong]}.`, diverged);
  if (classes > 0) checkProbabilities(data, classes);
}

const diverged = 'Training may have diverged: lower the learning rate, or bound it in the knobs.';

function checkProbabilities(data: Float32Array, classes: number): void {
  for (let start = 0; start < data.length; start += classes) {
    const row = data.subarray(start, start + classes);
    const sum = row.reduce((total, value) => total + value, 0);
    if (Math.abs(sum - 1) <= TOLERANCE && row.every((value) => value >= -TOLERANCE)) continue;
    const detail = `Row ${start / classes}: ${Array.from(row.subarray(0, 8), (value) => value.toPrecision(4)).join(', ')}.`;
    throw noModel('its answers are no probabilities', detail, 'End the graph with a softmax over the classes.');
  }
}

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));

const noModel = (why: string, detail: string, hint: string, cause?: unknown): FamilyFailed =>
  new FamilyFailed(`the "model" of the family's command is none: ${why}`, {
    detail: detail.slice(0, 1_000),
    hint,
    ...(cause === undefined ? {} : { cause }),
  });
