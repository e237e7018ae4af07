const [quote, backslash, open, openList, close, closeList, comma] = [0x22, 0x5c, 0x7b, 0x5b, 0x7d, 0x5d, 0x2c];

/** What JSON that is not trusted may have: what it becomes takes many times its bytes, and what does not fit into memory ends the process. */
export interface JsonLimits {
  /** Brackets within each other. */
  depth: number;
  /** Brackets that open, and commas. */
  values: number;
  /** Of them, brackets; default: any number. */
  containers?: number;
}

/**
 * Which limit brackets and commas outside of strings are beyond, if one; it takes a small part of the time of parsing them. What is no JSON may have
 * any: a parser goes no further than to where it ceases to be such.
 */
export function jsonExcess(
  json: Buffer,
  { depth: maxDepth, values: maxValues, containers: maxContainers = maxValues }: JsonLimits,
): 'depth' | 'values' | undefined {
  let [depth, values, containers] = [0, 0, 0];
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte === quote) at = endOfString(json, at);
    else if (byte === open || byte === openList) {
      if (++depth > maxDepth) return 'depth';
      if (++containers > maxContainers || ++values > maxValues) return 'values';
    } else if (byte === close || byte === closeList) depth--;
    else if (byte === comma && ++values > maxValues) return 'values';
  }
  return undefined;
}

/** The place of the closing quote, or the end of the JSON. */
function endOfString(json: Buffer, start: number): number {
  for (let at = json.indexOf(quote, start + 1); at >= 0; at = json.indexOf(quote, at + 1)) {
    let backslashes = 0;
    while (json[at - 1 - backslashes] === backslash) backslashes++;
    if (backslashes % 2 === 0) return at;
  }
  return json.length;
}
