import type { Mutation } from './operators.ts';

export type Planted = Mutation & { index: number };

/** The text with all of these mutants in it, each behind `mutant(index)` of switch.ts: if none is on, the text behaves as before. */
export function plant(text: string, mutations: readonly Planted[], switchFile: string): string {
  const outerFirst = mutations.toSorted((a, b) => a.start - b.start || b.end - a.end);
  return `import { mutant } from '${switchFile}';${planted(text, outerFirst, 0, text.length)}`;
}

function planted(text: string, outerFirst: readonly Planted[], start: number, end: number): string {
  let out = '';
  let at = start;
  for (let i = 0; i < outerFirst.length; ) {
    const outer = outerFirst[i]!;
    let next = i + 1;
    while (next < outerFirst.length && outerFirst[next]!.end <= outer.end) next++;
    const inner = planted(text, outerFirst.slice(i + 1, next), outer.start, outer.end);
    out += text.slice(at, outer.start);
    out += outer.isStatement
      ? `{ if (!mutant(${outer.index})) ${inner} }`
      : `(mutant(${outer.index}) ? (${outer.text}) : (${inner}))`;
    at = outer.end;
    i = next;
  }
  return out + text.slice(at, end);
}
