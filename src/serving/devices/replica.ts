import { firstRows } from '../../domain/table.ts';
import type { InputKind, RawInput } from '../../domain/task.ts';
import type { TensorData } from '../../domain/tensor.ts';
import type { ModelFile } from '../../domain/training.ts';
import { EMBEDDING, pretrainedEncoder } from '../../encoders/pretrained-rows.ts';
import { borrowEmbedder } from '../../encoders/shared-embedders.ts';
import { embedCached, sharedVectors } from '../../encoders/vector-cache.ts';
import { type LoadedModel, loadModel } from '../../engine/inference.ts';
import { readModel } from '../../engine/model-file.ts';
import { EnsembleExplainer } from '../../explain/explain.ts';
import type { Encoder } from '../../features/encoder.ts';
import { createEncoder } from '../../features/registry.ts';
import { readInteger } from '../../features/state.ts';
import { loadForeign } from '../../foreign/foreign-model.ts';
import { FOREIGN } from '../../foreign/plan.ts';
import { sampleRow } from '../../foreign/sample-row.ts';
import { packExplanation, readOrder } from '../explanations/explanation-order.ts';
import type { Subset } from '../policies/policy.ts';
import type { ExplainedEnsemble, MemberOutput } from './device.ts';
import type { SharedMemory } from './model-memory.ts';
import { isSample } from './sample-input.ts';

/**
 * Rows of similar length run together, in slices of this size: a batch is padded to its longest text, and on a CPU
 * large batches save nothing per row. With 32 rows a temporal CNN takes a seventh longer because of padding, and the
 * layers of image networks no longer fit into the caches. Rows of columns have one length and small models, for which a
 * run costs more than a row: they run together.
 */
const SLICE_ROWS: Readonly<Record<InputKind, number>> = { text: 16, image: 16, columns: Number.POSITIVE_INFINITY };

/** A member's file, and that of the pretrained encoder that it stands on. */
interface MemberFile extends ModelFile {
  encoder?: ModelFile;
}

/** The files of an ensemble. */
export interface EnsembleFiles {
  models: readonly MemberFile[];
  /** Images are base64: like texts, they are queued, compared and passed to threads as strings. */
  inputKind: InputKind;
  /** ONNX Runtime threads of each session; see {@link chooseThreads}. */
  threads: number;
}

/**
 * Measured on networks of all families, 0.1 to 6 MB: a session takes twice its file; encoder and graph add the rest. A
 * forest takes twenty times its file (129 MB: 2.5 GB), because ONNX Runtime keeps an object for each of its nodes.
 */
const BYTES_PER_BYTE: Readonly<Record<InputKind, number>> = { text: 2, image: 2, columns: 20 };
const SESSION_BYTES = 2 ** 20;

/** The pretrained encoders that an ensemble stands on, each once, with their bytes on one thread. */
export function encodersOf({ models, inputKind }: Pick<EnsembleFiles, 'models' | 'inputKind'>): SharedMemory[] {
  const files = new Map(
    models.flatMap(({ encoder }) => (encoder === undefined ? [] : [[encoder.name, encoder.bytes]])),
  );
  return Array.from(files, ([key, bytes]) => ({ key, bytes: BYTES_PER_BYTE[inputKind] * bytes + SESSION_BYTES }));
}

/** Bytes that an ensemble takes on one thread, without the encoders that it stands on. */
export const replicaBytes = ({ models, inputKind }: Pick<EnsembleFiles, 'models' | 'inputKind'>): number =>
  models.reduce((sum, { bytes }) => sum + BYTES_PER_BYTE[inputKind] * bytes + SESSION_BYTES, 0);

interface ReplicaMember {
  file: ModelFile;
  encoder: Encoder;
  /** Of inputs that are asked about once: their vectors take no room from those of predictions. */
  onceEncoder: Encoder;
  model: LoadedModel;
  /** A typical input of an imported model that reads columns. */
  sample?: string | undefined;
  release(): Promise<void>;
}

/** An ensemble on one thread: its members' encoders and sessions. */
export class Replica {
  readonly #members: ReplicaMember[];
  readonly #inputKind: InputKind;
  /** By subset; made when a first answer is to be explained. */
  readonly #explainers = new Map<Subset, Promise<EnsembleExplainer>>();

  private constructor(members: ReplicaMember[], inputKind: InputKind) {
    this.#members = members;
    this.#inputKind = inputKind;
  }

  static async load({ models, inputKind, threads }: EnsembleFiles): Promise<Replica> {
    const members: ReplicaMember[] = [];
    try {
      for (const file of models) members.push(await loadMember(file, threads));
    } catch (error) {
      await new Replica(members, inputKind).release();
      throw error;
    }
    return new Replica(members, inputKind);
  }

  async run(inputs: readonly string[], subset: Subset): Promise<MemberOutput[]> {
    const raw = this.#inputKind === 'image' ? inputs.map((input) => Buffer.from(input, 'base64')) : inputs;
    const outputs: MemberOutput[] = [];
    for (const member of this.#of(subset)) {
      const slice = SLICE_ROWS[this.#inputKind];
      outputs.push(await (raw.length <= slice ? runOnce(member, raw) : runSliced(member, raw, slice)));
    }
    return outputs;
  }

  get sample(): string | undefined {
    return this.#members[0]?.sample;
  }

  /** An explanation of the answer to each order, see `explanation-order.ts`. */
  async explain(orders: readonly string[], ensemble: ExplainedEnsemble): Promise<MemberOutput[]> {
    const explainer = await this.#explainer(ensemble.subset);
    const outputs: MemberOutput[] = [];
    for (const order of orders) {
      const { about, input } = readOrder(order);
      const raw = this.#inputKind === 'image' ? Buffer.from(input, 'base64') : input;
      outputs.push(packExplanation(await explainer.explain(raw, about, ensemble)));
    }
    return outputs;
  }

  #explainer(subset: Subset): Promise<EnsembleExplainer> {
    const known = this.#explainers.get(subset);
    if (known !== undefined) return known;
    const made = this.#createExplainer(subset);
    made.catch(() => this.#explainers.delete(subset));
    this.#explainers.set(subset, made);
    return made;
  }

  async #createExplainer(subset: Subset): Promise<EnsembleExplainer> {
    const members = [];
    for (const { file, onceEncoder, model } of this.#of(subset))
      members.push({
        model: await readModel(file),
        loaded: { encoder: onceEncoder, run: (feeds: Record<string, TensorData>) => model.run(feeds) },
      });
    return new EnsembleExplainer(this.#inputKind, members);
  }

  #of(subset: Subset): ReplicaMember[] {
    return this.#members.filter((_, m) => (subset & (1 << m)) !== 0);
  }

  async release(): Promise<void> {
    for (const { release } of this.#members) await release();
  }
}

async function loadMember(file: MemberFile, threads: number): Promise<ReplicaMember> {
  const { onnx, features, explaining } = await readModel(file);
  if (features.encoder === FOREIGN) {
    const foreign = await loadForeign(onnx, features, threads);
    const encoder = pretrainedEncoder((inputs) => foreign.answers(inputs)); // its vectors are the answers
    return {
      file,
      encoder,
      onceEncoder: encoder,
      model: answering,
      sample: sampleRow(explaining),
      release: () => foreign.release(),
    };
  }
  if (file.encoder === undefined) {
    const model = await loadModel(onnx, { threads, longLived: true });
    const encoder = createEncoder(features);
    return { file, encoder, onceEncoder: encoder, model, release: () => model.release() };
  }
  const { embedder, release } = await borrowEmbedder(file.encoder, threads);
  try {
    const model = await loadModel(onnx, { threads: 1, longLived: true });
    const cached = {
      name: file.encoder.name,
      width: readInteger(features.state, 'width'),
      cache: sharedVectors(),
      isMeasured: isSample,
      embed: (inputs: readonly RawInput[]) => embedder.embed(inputs),
    };
    const encoder = pretrainedEncoder((inputs) => embedCached(inputs, cached));
    const onceEncoder = pretrainedEncoder((inputs) => embedder.embed(inputs));
    return {
      file,
      encoder,
      onceEncoder,
      model,
      release: async () => void (await Promise.all([model.release(), release()])),
    };
  } catch (error) {
    await release();
    throw error;
  }
}

/** Passes on what was computed. */
const answering: LoadedModel = {
  run: async ({ [EMBEDDING]: answers }) => answers as TensorData,
  release: async () => undefined,
};

async function runOnce({ encoder, model }: ReplicaMember, inputs: readonly RawInput[]): Promise<MemberOutput> {
  const { data } = await model.run(await encoder.encode(inputs));
  return data instanceof Float32Array ? data : Float32Array.from(data, Number);
}

async function runSliced(
  { encoder, model }: ReplicaMember,
  inputs: readonly RawInput[],
  sliceRows: number,
): Promise<MemberOutput> {
  const rows = await encoder.prepare(inputs);
  const order = firstRows(inputs.length).sort((a, b) => rows.length(a) - rows.length(b));
  let output: MemberOutput | undefined;
  for (let from = 0; from < order.length; from += sliceRows) {
    const slice = order.subarray(from, from + sliceRows);
    const { data } = await model.run(rows.batch(slice));
    const size = data.length / slice.length;
    output ??= new Float32Array(inputs.length * size);
    for (let i = 0; i < slice.length; i++) {
      for (let c = 0; c < size; c++) output[(slice[i] as number) * size + c] = Number(data[i * size + c]);
    }
  }
  return output ?? new Float32Array(0);
}
