/** The reply to a request: one row. docs/architecture.md describes each letter. */
export interface Reply {
  s: 'k' | 'h' | 'w' | 'e' | 'n';
  v: string | null;
  loc: string | null;
  /** Further results of the same request, one row each. They stay in the backend's libpq until it reads them. */
  prefetched?: readonly Reply[];
}

export const answerReply = (v: string | null): Reply => ({ s: 'k', v, loc: null });

/** The text form of a text[] value: {"a","b",NULL}. */
export function arrayLiteral(values: readonly (string | null)[]): string {
  return `{${values.map((value) => (value === null ? 'NULL' : `"${value.replace(/["\\]/g, '\\$&')}"`)).join(',')}}`;
}
