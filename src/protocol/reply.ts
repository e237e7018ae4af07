import { fingerprintOf, type PrefetchedRequest } from './fingerprint.ts';

/** The reply to a request: one row. docs/architecture.md describes each letter. */
export interface Reply {
  s: 'k' | 'h' | 'w' | 'e' | 'n';
  v: string | null;
  loc: string | null;
  /** Further results of the same request, one row each. They stay in the backend's libpq until it reads them. */
  prefetched?: readonly Reply[];
}

export const answerReply = (v: string | null): Reply => ({ s: 'k', v, loc: null });

/** Answered; and the database is asked for the rows of `readRequest`. */
export const readReply = (v: string | null, readRequest: string): Reply => ({ s: 'h', v, loc: readRequest });

/** Still computing. */
export const ticketReply = (ticket: string): Reply => ({ s: 'w', v: ticket, loc: null });

export const prefetchedReply = (label: string | null, request: PrefetchedRequest): Reply => ({
  s: 'n',
  v: label,
  loc: fingerprintOf(request),
});

/** The text form of a text[] value: {"a","b",NULL}. */
export function arrayLiteral(values: readonly (string | null)[]): string {
  return `{${values.map((value) => (value === null ? 'NULL' : `"${value.replace(/["\\]/g, '\\$&')}"`)).join(',')}}`;
}
