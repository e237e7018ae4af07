import type { ErrorReport } from '../errors/rafiki-error.ts';
import type { Reply } from '../protocol/reply.ts';

/** Messages that a server of the PostgreSQL protocol, version 3, sends. */
export const authenticationOk = (): Buffer => message('R', int32(0));
export const authenticationSasl = (mechanism: string): Buffer => message('R', int32(10), cString(mechanism), zero);
export const authenticationSaslContinue = (data: string): Buffer => message('R', int32(11), Buffer.from(data));
export const authenticationSaslFinal = (data: string): Buffer => message('R', int32(12), Buffer.from(data));
export const negotiateProtocolVersion = (): Buffer => message('v', int32(0), int32(0));
export const parameterStatus = (name: string, value: string): Buffer => message('S', cString(name), cString(value));
export const backendKeyData = (pid: number, secret: number): Buffer => message('K', int32(pid), int32(secret));
const commandComplete = (tag: string): Buffer => message('C', cString(tag));

export function errorResponse(
  severity: 'ERROR' | 'FATAL',
  { sqlstate, message: text, detail, hint }: ErrorReport,
): Buffer {
  const fields = [`S${severity}`, `V${severity}`, `C${sqlstate}`, `M${text}`];
  if (detail !== undefined) fields.push(`D${detail}`);
  if (hint !== undefined) fields.push(`H${hint}`);
  return message('E', ...fields.map(cString), zero);
}

/** One or more results and ReadyForQuery in one buffer: one write per reply, without further copies. */
export function queryReply(reply: Reply): Buffer {
  const rows = [reply, ...(reply.prefetched ?? [])];
  const buffer = Buffer.allocUnsafe(rows.reduce((bytes, row) => bytes + rowBytes(row), readyForQuery.length));
  const end = rows.reduce((at, row) => writeRow(buffer, at, row), 0);
  readyForQuery.copy(buffer, end);
  return buffer;
}

const fieldBytes = (field: string | null): number => (field === null ? 4 : 4 + Buffer.byteLength(field));

/** RowDescription, DataRow, CommandComplete. */
const rowBytes = ({ s, v, loc }: Reply): number =>
  rowDescription.length + 7 + fieldBytes(s) + fieldBytes(v) + fieldBytes(loc) + completed.length;

/** Returns the offset after the row. */
function writeRow(buffer: Buffer, from: number, { s, v, loc }: Reply): number {
  const head = from + rowDescription.copy(buffer, from);
  buffer[head] = letter('D');
  let at = buffer.writeInt16BE(3, head + 5);
  for (const field of [s, v, loc]) {
    const length = field === null ? -1 : buffer.write(field, at + 4);
    at = buffer.writeInt32BE(length, at) + Math.max(0, length);
  }
  buffer.writeInt32BE(at - head - 1, head + 1);
  return at + completed.copy(buffer, at);
}

function letter(type: string): number {
  return type.charCodeAt(0);
}

function int32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int16(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function cString(text: string): Buffer {
  return Buffer.from(`${text.replaceAll('\0', '')}\0`);
}

function message(type: string, ...parts: Buffer[]): Buffer {
  const length = parts.reduce((total, part) => total + part.length, 4);
  return Buffer.concat([Buffer.from(type, 'latin1'), int32(length), ...parts]);
}

const zero = Buffer.alloc(1);
const TEXT_OID = 25;

export const readyForQuery = message('Z', Buffer.from('I'));

export const encodingSet = (encoding: string): Buffer =>
  Buffer.concat([commandComplete('SET'), parameterStatus('client_encoding', encoding), readyForQuery]);

const column = (name: string): Buffer =>
  Buffer.concat([cString(name), int32(0), int16(0), int32(TEXT_OID), int16(-1), int32(-1), int16(0)]);
const rowDescription = message('T', int16(3), column('s'), column('v'), column('loc'));
const completed = commandComplete('SELECT 1');
