import { isEnsembleRule, MAX_VERSION_MEMBERS } from '../domain/ensembles/rule.ts';
import { MAX_SPEC_BYTES } from '../domain/import-limits.ts';
import type { InputColumn } from '../domain/table.ts';
import type { Task } from '../domain/task.ts';
import type { Dtype, ParamSet } from '../domain/tensor.ts';
import { BadData, NotSupported } from '../errors/errors.ts';
import { withoutMetadata } from '../graph/onnx-edit.ts';
import type { OnnxOutline } from '../graph/onnx-outline.ts';
import { unpackModel } from '../params/model-codec.ts';
import { packTensor, unpackMeta, unpackTensor } from '../params/tensor-codec.ts';
import { tooManyMembers } from './checked-found.ts';
import type { CheckedImport, ImportedMember, NamedEncoder } from './messages.ts';
import { checkedOutline } from './onnx-check.ts';

/** The metadata that `rafiki_export` appends: what the model is, and under further keys its parts. */
const MODEL_KEY = 'rafiki.model';
const isOurs = (key: string): boolean => /^rafiki\.(model|params\.\d+|blob\.[0-9a-f]{64})$/.test(key);
const FORMAT = 1;
/** Of the features of a member, in base64; a specification, which may become such, has a quarter of it. */
const MAX_META_CHARS = 4 * MAX_SPEC_BYTES;

export const isOwnExport = ({ metadata }: OnnxOutline): boolean => metadata.has(MODEL_KEY);

/** As sql/idempotent/7-models/60-export.sql writes it. */
interface ExportedModel {
  format: number;
  task: string;
  rule: string;
  classes: string[];
  columns: InputColumn[] | null;
  accuracies: number[] | null;
  members: (Omit<ImportedMember, 'model' | 'encoder' | 'variantOf'> & {
    variant_of: number | null;
    params: number;
    encoder: NamedEncoder | null;
  })[];
}

interface ExportedParams {
  /** MessagePack in base64. */
  meta: string;
  tensors: { name: string; dtype: Dtype; shape: number[]; hash: string }[];
}

/** The version that was exported: the same bytes. Throws BadData for a file whose parts are damaged, or for another task. */
export async function readOwnExport(bytes: Uint8Array, { metadata }: OnnxOutline, task: Task): Promise<CheckedImport> {
  try {
    return await readExport(bytes, metadata, task);
  } catch (cause) {
    if (cause instanceof BadData || cause instanceof NotSupported) throw cause;
    throw new BadData('the file says that rafiki_export made it, but its parts are damaged', {
      detail: cause instanceof Error ? cause.message : String(cause),
      hint: 'Export the model again.',
      cause,
    });
  }
}

async function readExport(
  bytes: Uint8Array,
  metadata: ReadonlyMap<string, string>,
  task: Task,
): Promise<CheckedImport> {
  const model = JSON.parse(metadata.get(MODEL_KEY) ?? '') as ExportedModel;
  if (model.format !== FORMAT) {
    throw new BadData(`the file is an export of format ${String(model.format).slice(0, 20)}`, {
      detail: `This version reads format ${FORMAT}.`,
      hint: 'Import it with the version of Rafiki that exported it, or a newer one.',
    });
  }
  if (model.task !== task) {
    throw new BadData(`the file is a model for ${String(model.task).slice(0, 60)}`, {
      detail: `It is imported for ${task}.`,
      hint: 'Name its task.',
    });
  }
  const { rule, classes, columns, accuracies } = model;
  if (!isEnsembleRule(rule) || !Array.isArray(classes) || model.members.length === 0) throw new RangeError(MODEL_KEY);
  const graph = withoutMetadata(bytes, isOurs);
  if (model.members.length > MAX_VERSION_MEMBERS) throw tooManyMembers(model.members.length);
  const members: ImportedMember[] = [];
  for (const { family, precision, weight, temperature, ...member } of model.members) {
    const { params, encoder, variant_of: variantOf } = member;
    const read = unpackModel(await readParams(params, { metadata, graph }));
    checkedOutline(read.onnx); // it need not be the graph around it
    members.push({
      ...{ family, precision, weight, temperature, variantOf, model: read },
      ...(encoder === null ? {} : { encoder }),
    });
  }
  return { rule, classes: classes.map(String), columns, accuracies, members };
}

interface ExportedFile {
  metadata: ReadonlyMap<string, string>;
  /** The main graph as it was stored: the tensor of the file of the first member, which stands there once. */
  graph: Uint8Array;
}

async function readParams(place: number, { metadata, graph }: ExportedFile): Promise<ParamSet> {
  const { meta, tensors } = JSON.parse(metadata.get(`rafiki.params.${place}`) ?? '') as ExportedParams;
  if (meta.length > MAX_META_CHARS) throw new RangeError(`the metadata of part ${place} is too large`);
  const named: ParamSet['tensors'] = {};
  for (const { name, hash } of tensors) {
    const text = metadata.get(`rafiki.blob.${hash}`);
    const data =
      text === undefined
        ? packTensor({ dtype: 'uint8', shape: [graph.length], data: graph }).data
        : Buffer.from(text, 'base64');
    named[name] = await unpackTensor({ hash: Buffer.from(hash, 'hex'), data });
  }
  return { meta: unpackMeta(Buffer.from(meta, 'base64')), tensors: named };
}
