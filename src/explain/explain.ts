import type { ImageSize, InputKind, RawInput } from '../domain/task.ts';
import type { TensorData } from '../domain/tensor.ts';
import type { TrainedModel } from '../domain/training.ts';
import { NotSupported } from '../errors/errors.ts';
import { readFittedColumns } from '../features/columns/fitted-columns.ts';
import type { Encoder } from '../features/encoder.ts';
import { rowExplainer } from './columns.ts';
import { type AnsweringRule, type AnswerParts, classParts, numberParts } from './ensemble.ts';
import type { Explained, MemberExplainer, Scorer } from './member.ts';
import { explainedImage } from './patches.ts';
import { sampledShapley } from './shapley.ts';
import { explainedText } from './words.ts';

/** A member of an ensemble that is loaded: its encoder, and its answers [N, scores] for encoded rows. */
export interface AskableMember {
  encoder: Encoder;
  run(feeds: Record<string, TensorData>): Promise<TensorData>;
}

/** Texts, or files of images, that a member is asked about for an explanation. */
const EVALUATIONS: Readonly<Record<Exclude<InputKind, 'columns'>, number>> = { text: 512, image: 144 };

/** Rows of a run, as of predictions: an image takes half a megabyte. */
const RUN_ROWS = 16;

/** The least probability that single precision has: logarithms are finite. */
const LEAST = 1e-38;

/** Explains answers of an ensemble. */
export class EnsembleExplainer {
  readonly #members: readonly MemberExplainer[];
  readonly #columns: number;
  readonly #inputKind: InputKind;
  readonly #isNumber: boolean;

  /** Throws {@link NotSupported} for a model that was trained by a version without explanations. */
  constructor(inputKind: InputKind, members: readonly { model: TrainedModel; loaded: AskableMember }[]) {
    this.#inputKind = inputKind;
    this.#isNumber = members[0]?.model.features.target !== undefined;
    this.#columns = inputKind === 'columns' ? readFittedColumns(members[0]?.model.features.state ?? {}).length : 0;
    this.#members = members.map(({ model, loaded }) => explainerOf(inputKind, model, loaded));
  }

  /**
   * Of the class with a number, or of the predicted one (−1), or of the number that is the answer. An image has a size.
   */
  async explain(input: RawInput, about: number, together: AnsweringRule): Promise<AnswerParts & { size?: ImageSize }> {
    const explained = await this.#explained(input);
    const members = [];
    for (const member of this.#members) members.push(await member(explained));
    const parts = this.#isNumber ? numberParts(members, together) : classParts(members, about, together);
    return 'size' in explained ? { ...parts, size: explained.size } : parts;
  }

  async #explained(input: RawInput): Promise<Explained | (Explained & { size: ImageSize })> {
    if (input instanceof Uint8Array) return explainedImage(input);
    if (this.#inputKind === 'text') return explainedText(String(input));
    return { input, parts: this.#columns };
  }
}

function explainerOf(inputKind: InputKind, model: TrainedModel, loaded: AskableMember): MemberExplainer {
  const score = scorerOf(model, loaded, inputKind === 'columns' ? Number.POSITIVE_INFINITY : RUN_ROWS);
  if (inputKind !== 'columns') return partsExplainer(score, EVALUATIONS[inputKind]);
  const { features, explaining } = model;
  if (explaining !== undefined) return rowExplainer({ features, encoder: loaded.encoder, score }, explaining);
  throw new NotSupported('the model was trained by a version that explained none', {
    hint: 'Train the model again.',
  });
}

/** Texts without some words, images without some patches: what is missing is left out, or grey. */
const partsExplainer =
  (score: Scorer, evaluations: number): MemberExplainer =>
  ({ input, parts, without }) =>
    sampledShapley(
      {
        players: parts,
        draws: 1,
        value: async (coalitions) => score((await without?.(coalitions.map(({ known }) => known))) ?? [input]),
      },
      evaluations,
    );

const scorerOf =
  ({ features: { target } }: TrainedModel, { encoder, run }: AskableMember, rows: number): Scorer =>
  async (inputs) => {
    const scores: Float64Array[] = [];
    for (let from = 0; from < inputs.length; from += rows) {
      const some = inputs.slice(from, from + rows);
      const { data } = await run(await encoder.encode(some));
      const width = data.length / some.length;
      for (let row = 0; row < some.length; row++) {
        const own = Float64Array.from({ length: width }, (_, s) => Number(data[row * width + s]));
        scores.push(target === undefined ? own.map((share) => Math.log(Math.max(LEAST, share))) : own);
      }
    }
    return scores;
  };
