/** What a request is answered with: one row. docs/architecture.md has the meaning of each letter. */
export interface Reply {
  s: 'k' | 'h' | 'w' | 'e' | 'n';
  v: string | null;
  loc: string | null;
  /** Further results of the same request, one row each: they wait in the backend's libpq until they are asked for. */
  prefetched?: readonly Reply[];
}

export const answered = (v: string | null): Reply => ({ s: 'k', v, loc: null });

/** The text form of text[]: {"a","b",NULL}. */
export function arrayLiteral(values: readonly (string | null)[]): string {
  return `{${values.map((value) => (value === null ? 'NULL' : `"${value.replace(/["\\]/g, '\\$&')}"`)).join(',')}}`;
}
