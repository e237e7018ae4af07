import { ProtocolViolation } from '../errors/errors.ts';

/** Reads the text form of a text[] value, as `arrayLiteral` of the protocol writes it: {"a","b",NULL}. */
export function readArrayLiteral(literal: string): (string | null)[] {
  const values: (string | null)[] = [];
  if (literal === '{}') return values;
  let at = 1;
  for (;;) {
    if (literal.startsWith('NULL', at)) {
      values.push(null);
      at += 4;
    } else if (literal[at] === '"') {
      const end = endOfValue(literal, at + 1);
      const raw = literal.slice(at + 1, end);
      values.push(raw.includes('\\') ? raw.replace(/\\(.)/gs, '$1') : raw);
      at = end + 1;
    } else throw broken();
    if (literal[at] === '}' && at === literal.length - 1) return values;
    if (literal[at] !== ',') throw broken();
    at++;
  }
}

/** The place of the closing quote. */
function endOfValue(literal: string, from: number): number {
  for (let at = from; ; at++) {
    const quote = literal.indexOf('"', at);
    if (quote < 0) throw broken();
    let backslashes = 0;
    while (literal[quote - 1 - backslashes] === '\\' && quote - 1 - backslashes >= from) backslashes++;
    if (backslashes % 2 === 0) return quote;
    at = quote;
  }
}

const broken = (): ProtocolViolation => new ProtocolViolation('the prediction server sent a broken array');
