import { serialize } from 'node:v8';
import { labelOf, type NamedLabel, type TaskKind } from '../domain/kinds/kind.ts';
import type { InputColumn } from '../domain/table.ts';
import { BadData } from '../errors/errors.ts';
import { TableBuilder } from '../features/columns/table-builder.ts';
import { type BadRowRule, skipRow } from './bad-row.ts';
import { type LabelledText, parseRow, validationFlags } from './data-file.ts';
import { inputHash } from './input-hash.ts';
import { linesOf } from './lines.ts';
import type { LabelledTable } from './table-file.ts';

/** Rows of a block, which is in memory as JSON values until it is written. */
const BLOCK_ROWS = 8192;
/** A block of long rows is written earlier. */
const BLOCK_CHARS = 16 * 2 ** 20;
/** Longer rows are not what columns of numbers and categories have; a prediction takes as much. */
const MAX_ROW_CHARS = 8 * 2 ** 20;

export interface TableRule extends BadRowRule {
  kind: TaskKind;
  columns: readonly InputColumn[];
}

/** Converts lines `["label", "{…}", null, "Key (id)=(1)"]`, with the row as JSON and its name, to blocks of typed columns; each is preceded by its length, a uint32. */
export async function* tableBlocks(chunks: AsyncIterable<Buffer>, rule: TableRule): AsyncGenerator<Buffer> {
  const block = new BlockBuilder(rule);
  let number = 1;
  for await (const lines of linesOf(chunks, MAX_ROW_CHARS)) {
    for (const line of lines) {
      let name = `Row ${number} as read`;
      try {
        if (line === null) throw rowTooLong();
        const row = parseRow(line);
        name = row.name ?? name;
        block.add(row);
      } catch (error) {
        skipRow({ name, error }, rule);
      }
      if (block.isFull) yield block.take();
      number++;
    }
  }
  if (!block.isEmpty) yield block.take();
}

class BlockBuilder {
  readonly #kind: TaskKind;
  readonly #table: TableBuilder;
  #labels: NamedLabel[] = [];
  #flags: number[] = [];
  #hashes: bigint[] = [];
  #chars = 0;

  constructor({ kind, columns }: TableRule) {
    this.#kind = kind;
    this.#table = new TableBuilder(columns);
  }

  get isEmpty(): boolean {
    return this.#labels.length === 0;
  }

  get isFull(): boolean {
    return this.#labels.length >= BLOCK_ROWS || this.#chars >= BLOCK_CHARS;
  }

  /** Throws {@link BadData} and then has nothing of the row. */
  add({ label: text, input, validates }: LabelledText): void {
    const label = labelOf(this.#kind, text);
    this.#table.add(input);
    this.#labels.push(label);
    this.#flags.push(validationFlags.indexOf(validates));
    this.#hashes.push(inputHash(input));
    this.#chars += input.length;
  }

  take(): Buffer {
    const block: LabelledTable = {
      ...this.#table.take(),
      labels: this.#labels,
      flags: Uint8Array.from(this.#flags),
      hashes: BigInt64Array.from(this.#hashes),
    };
    this.#labels = [];
    this.#flags = [];
    this.#hashes = [];
    this.#chars = 0;
    const bytes = serialize(block);
    const head = Buffer.alloc(4);
    head.writeUInt32LE(bytes.length);
    return Buffer.concat([head, bytes]);
  }
}

const rowTooLong = (): BadData =>
  new BadData('a row is too large', {
    detail: `As JSON it has more than ${MAX_ROW_CHARS / 2 ** 20} million characters.`,
    hint: 'Name the columns to learn from with features =>: such as those of numbers, categories and times.',
  });
