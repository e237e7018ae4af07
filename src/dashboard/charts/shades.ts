export interface Shades {
  /** Places of the trials by shade, the poorest first; equal scores have the same. */
  groups: number[][];
  /** The least score of the last shade; undefined if no scores differ, so that none is better. */
  bestFrom: number | undefined;
}

/** As many groups as `shades` by score, of about as many trials each. Trials without a score are in none. */
export function shadesOf(scores: readonly (number | null)[], shades: number): Shades {
  const order = scores.map((_, i) => i).filter((i) => scores[i] != null);
  order.sort((a, b) => (scores[a] as number) - (scores[b] as number));
  const groups = Array.from({ length: shades }, (): number[] => []);
  const last = order.length - 1;
  if (last < 0 || scores[order[0] as number] === scores[order[last] as number]) {
    groups[0] = order;
    return { groups, bestFrom: undefined };
  }
  let shade = shades - 1;
  for (let i = last; i >= 0; i--) {
    const [own, above] = [scores[order[i] as number], scores[order[i + 1] ?? -1]];
    // a score that the trial above has, too, stays in its shade
    if (i < last && own !== above) shade = Math.min(shade, Math.floor((i * shades) / order.length));
    groups[shade]?.push(order[i] as number);
  }
  for (const group of groups) group.reverse();
  const least = groups.at(-1)?.[0];
  return { groups, bestFrom: least === undefined ? undefined : (scores[least] as number) };
}
