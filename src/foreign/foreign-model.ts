import type { RawInput } from '../domain/task.ts';
import type { FittedFeatures } from '../domain/training.ts';
import { type ForeignSession, type ForeignTensor, openForeign } from '../engine/foreign/session.ts';
import { BadData } from '../errors/errors.ts';
import { RafikiError } from '../errors/rafiki-error.ts';
import { filesOf } from '../features/encoder.ts';
import { columnFeeds } from './feeds/column-feeds.ts';
import { pictureFeeds } from './feeds/picture-feeds.ts';
import { textFeeds, tokenEncoder, tokenFeeds } from './feeds/text-feeds.ts';
import { foreignAnswers } from './foreign-answers.ts';
import { type ForeignPlan, readPlan } from './plan.ts';

/** Rows of a run where any number may be: of texts and images, as of our own models. */
const SLICE_ROWS = 16;
const COLUMN_ROWS = 1024;

type ForeignFeeds = Record<string, ForeignTensor>;

/** Makes the inputs of a graph. */
export type Feeder = (inputs: readonly RawInput[]) => ForeignFeeds | Promise<ForeignFeeds>;

export function feederOf(plan: ForeignPlan): Feeder {
  const { input } = plan;
  switch (input.kind) {
    case 'columns':
      return (inputs) => columnFeeds(inputs, { ...plan, input });
    case 'texts':
      return (inputs) => textFeeds(inputs, input);
    case 'tokens': {
      const encoder = tokenEncoder(input);
      return (inputs) => tokenFeeds(inputs, input, encoder);
    }
    case 'pictures':
      return (inputs) => pictureFeeds(filesOf(inputs), input);
  }
}

/** An imported model in memory. */
export interface ForeignModel {
  /** Probabilities of classes, or numbers: [rows, scores]. Throws BadData for inputs that the graph does not take. */
  answers(inputs: readonly RawInput[]): Promise<Float32Array>;
  release(): Promise<void>;
}

/** Loads a model with the features {@link FOREIGN}; only in a process of its own, see {@link ForeignSession}. */
export async function loadForeign(
  onnx: Uint8Array,
  { state, classes, target }: FittedFeatures,
  threads: number,
): Promise<ForeignModel> {
  const plan = readPlan(state);
  const session = await openForeign(onnx, threads);
  const feeder = feederOf(plan);
  const shape = { kind: plan.output.kind, classes, width: target === undefined ? classes.length : 1 };
  return {
    async answers(inputs) {
      const answers = new Float32Array(inputs.length * shape.width);
      const slice = plan.batch ?? (plan.input.kind === 'columns' ? COLUMN_ROWS : SLICE_ROWS);
      for (let from = 0; from < inputs.length; from += slice) {
        const some = inputs.slice(from, from + slice);
        const rows = plan.batch ?? some.length;
        const whole = [...some, ...new Array<RawInput>(rows - some.length).fill(some.at(-1) as RawInput)];
        const output = await runForeign(session, await feeder(whole), plan.output.name);
        const found = foreignAnswers(output, { kind: shape.kind, classes, rows });
        answers.set(found.subarray(0, some.length * shape.width), from * shape.width);
      }
      return answers;
    },
    release: () => session.release(),
  };
}

/** One run of a graph. Throws BadData with ONNX Runtime's reason. */
export async function runForeign(session: ForeignSession, feeds: ForeignFeeds, output: string): Promise<ForeignTensor> {
  try {
    const [tensor] = await session.run(feeds, [output]);
    return tensor as ForeignTensor;
  } catch (cause) {
    if (cause instanceof RafikiError) throw cause;
    throw new BadData('the imported model cannot compute this input', {
      detail: reasonOf(cause),
      hint: 'The graph may want inputs of another size or type than it declares: see the fields "columns", "image" and "missing" of spec.',
      cause,
    });
  }
}

const MAX_REASON = 600;

/** ONNX Runtime's message, cut. */
export const reasonOf = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).trim().slice(0, MAX_REASON);
