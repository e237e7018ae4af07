/**
 * Of JSON that is not trusted, found before it is parsed: two bytes of it become an array of 32, and what does not fit into JavaScript's memory
 * ends the process. A little more than the largest model says of itself, see `foreign/extent.ts`.
 */
const MAX_DEPTH = 128;
const MAX_CONTAINERS = 1_100_000;
const MAX_VALUES = 5_500_000;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Whether JSON has few enough values, and no more levels than are good. What is no JSON may have any: a parser goes no further than to where it
 * ceases to be such.
 */
export function isJsonWithin(json: Uint8Array): boolean {
  let [depth, containers, values] = [0, 0, 0];
  for (let at = 0; at < json.length; at++) {
    switch (json[at] as number) {
      case QUOTE:
        at = endOfText(json, at);
        break;
      case 0x5b: // [
      case 0x7b: // {
        depth++;
        containers++;
        if (depth > MAX_DEPTH || containers > MAX_CONTAINERS) return false;
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth--;
        break;
      case 0x2c: // ,
        values++;
        if (values > MAX_VALUES) return false;
    }
  }
  return true;
}

/** Where the quote is that ends the text which begins at `from`; the end of the JSON if there is none. */
function endOfText(json: Uint8Array, from: number): number {
  for (let at = from + 1; at < json.length; at++) {
    if (json[at] === QUOTE) return at;
    if (json[at] === BACKSLASH) at++;
  }
  return json.length;
}
