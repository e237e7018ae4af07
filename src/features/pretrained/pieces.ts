import type { RawInput } from '../../domain/task.ts';
import type { FittedFeatures } from '../../domain/training.ts';
import { type EncodedRows, type RowEncoder, rowEncoder, textsOf } from '../encoder.ts';
import { readInteger, unfit } from '../state.ts';
import { padRows, rowLength, TokenRowsBuilder } from '../token-rows.ts';

/** A piece of a vocabulary with the logarithm of its probability. */
type ScoredPiece = readonly [piece: string, score: number];

/** What stands for a space, and starts each text. */
const SPACE = '▁';
/** The id of what no piece covers. */
const UNKNOWN = 0;
/** Characters that are read per token at most, which bounds the work on megabytes of text. */
const CHARS_PER_TOKEN = 16;
/** By how much an unknown character is less probable than the least probable piece, as in SentencePiece. */
const UNKNOWN_PENALTY = 10;

/**
 * Text → `ids` [N, T], int32: numbers of pieces from 1 on, padded with 0. Pieces are the most probable split under a unigram model (Kudo 2018), with NFKC
 * normalisation, as in SentencePiece. Each row has one at least.
 */
export function createPieceEncoder({ state }: FittedFeatures): RowEncoder {
  const [maxTokens, reserved] = [readInteger(state, 'maxTokens'), readInteger(state, 'reserved')];
  const model = new UnigramModel(readPieces(state), reserved);
  const prepare = (inputs: readonly RawInput[]): EncodedRows => {
    const texts = textsOf(inputs);
    const builder = new TokenRowsBuilder(texts.length);
    for (const text of texts) {
      const ids = model.encode(text.slice(0, maxTokens * CHARS_PER_TOKEN)).subarray(0, maxTokens);
      builder.push(ids.map((id) => id + 1));
    }
    const rows = builder.build();
    return {
      count: texts.length,
      length: (row) => rowLength(rows, row),
      batch: (indexes) => ({ ids: padRows(rows, indexes, { margin: 0, min: 1 }) }),
    };
  };
  return rowEncoder(prepare);
}

function readPieces(state: Record<string, unknown>): readonly ScoredPiece[] {
  const pieces = state['pieces'];
  const isPiece = (value: unknown): boolean =>
    Array.isArray(value) && typeof value[0] === 'string' && typeof value[1] === 'number';
  if (Array.isArray(pieces) && pieces.every(isPiece)) return pieces;
  throw unfit('pieces', 'a list of pieces with scores');
}

/** A place in the tree of all pieces; `id` is −1 if no piece ends here. */
interface TrieNode {
  next: Map<string, TrieNode>;
  id: number;
}

const trieNode = (): TrieNode => ({ next: new Map(), id: -1 });

class UnigramModel {
  readonly #pieces: readonly ScoredPiece[];
  readonly #root = trieNode();
  readonly #unknownScore: number;
  /** Of a text without visible characters: it must have a row. */
  readonly #blank: Int32Array;

  /** The first `reserved` pieces mark texts, and are in none. */
  constructor(pieces: readonly ScoredPiece[], reserved: number) {
    this.#pieces = pieces;
    for (let id = reserved; id < pieces.length; id++) {
      let node = this.#root;
      for (const char of (pieces[id] as ScoredPiece)[0]) {
        let next = node.next.get(char);
        if (next === undefined) {
          next = trieNode();
          node.next.set(char, next);
        }
        node = next;
      }
      if (node !== this.#root && node.id < 0) node.id = id;
    }
    this.#unknownScore = pieces.reduce((lowest, [, score]) => Math.min(lowest, score), 0) - UNKNOWN_PENALTY;
    this.#blank = Int32Array.of(this.#root.next.get(SPACE)?.id ?? UNKNOWN);
  }

  encode(text: string): Int32Array {
    const normal = text.normalize('NFKC');
    if (normal === '') return this.#blank;
    const symbols = [...`${SPACE}${normal.replaceAll(' ', SPACE)}`];
    const { lengths, ids } = this.#bestPaths(symbols);
    const found: number[] = [];
    for (let end = symbols.length; end > 0; end -= lengths[end] as number) {
      const id = ids[end] as number;
      if (id !== UNKNOWN || found.at(-1) !== UNKNOWN) found.push(id); // a run of unknown characters is one
    }
    return Int32Array.from(found.reverse());
  }

  /** For each end of a prefix the last piece of its most probable split; the latest of equals wins. */
  #bestPaths(symbols: readonly string[]): { lengths: Int32Array; ids: Int32Array } {
    const best = new Float64Array(symbols.length + 1).fill(Number.NEGATIVE_INFINITY);
    const lengths = new Int32Array(symbols.length + 1).fill(1);
    const ids = new Int32Array(symbols.length + 1).fill(UNKNOWN);
    best[0] = 0;
    for (let begin = 0; begin < symbols.length; begin++) {
      // what no piece covers is a character of its own, and as good as none
      if (best[begin] === Number.NEGATIVE_INFINITY) best[begin] = (best[begin - 1] as number) + this.#unknownScore;
      let node: TrieNode | undefined = this.#root;
      for (let end = begin + 1; end <= symbols.length; end++) {
        node = node.next.get(symbols[end - 1] as string);
        if (node === undefined) break;
        if (node.id < 0) continue;
        const score = (best[begin] as number) + (this.#pieces[node.id] as ScoredPiece)[1];
        if (score < (best[end] as number)) continue;
        best[end] = score;
        lengths[end] = end - begin;
        ids[end] = node.id;
      }
    }
    return { lengths, ids };
  }
}
