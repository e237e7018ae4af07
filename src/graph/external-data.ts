/** The messages of an ONNX file that can lead to a tensor: for each the fields that do, and the message that is in them. */
const inside = {
  model: { 7: 'graph', 25: 'function' },
  graph: { 1: 'node', 5: 'tensor', 15: 'sparse' },
  function: { 7: 'node', 11: 'attribute' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparse', 23: 'sparse' },
  sparse: { 1: 'tensor', 2: 'tensor' },
  tensor: {},
} as const satisfies Record<string, Readonly<Record<number, string>>>;

type MessageKind = keyof typeof inside;

/** Of a tensor: the places of its weights in another file, and 1 where they are there. */
const PLACES = 13;
const IS_ELSEWHERE = 14;

/** Each graph in a graph is three messages deeper. */
const MAX_NESTED = 32;

/**
 * Whether any tensor of a model has its weights in another file. It makes no objects, so that a file of 240 MB, which may have 120 million
 * fields, takes less than a second where nobody may wait longer. Throws a RangeError as {@link fieldsOf} does.
 */
export function hasExternalData(bytes: Uint8Array): boolean {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1, count = 0; ; scale *= 128, count++) {
      const byte = bytes[at++];
      if (byte === undefined || count > 9) throw new RangeError('it is cut off, or no ONNX file');
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  const visit = (kind: MessageKind, end: number, depth: number): boolean => {
    if (depth > MAX_NESTED) throw new RangeError('its graphs are nested too deeply');
    const parts: Readonly<Record<number, MessageKind>> = inside[kind];
    while (at < end) {
      const key = varint();
      checkKey(key);
      const [field, wire] = [Math.floor(key / 8), key % 8];
      const value = wire === 0 ? varint() : undefined;
      if (kind === 'tensor' && (field === PLACES || (field === IS_ELSEWHERE && value !== 0))) return true;
      if (wire === 0) continue;
      const length = wire === 2 ? varint() : wire === 5 ? 4 : wire === 1 ? 8 : -1;
      if (length < 0 || at + length > end) throw new RangeError('it is cut off, or no ONNX file');
      const part = wire === 2 ? parts[field] : undefined;
      if (part === undefined) at += length;
      else if (visit(part, at + length, depth + 1)) return true;
    }
    if (at > end) throw new RangeError('it is cut off, or no ONNX file');
    return false;
  };
  return visit('model', bytes.length, 0);
}

/**
 * Readers of protobuf keep 32 bits of a key: one that has more would be another field for them than it is here. Throws a RangeError for such
 * a one.
 */
export function checkKey(key: number): void {
  if (key < 8 || key >= 2 ** 32) throw new RangeError('it is no ONNX file');
}
