import pg from 'pg';

/** A name as SQL, as quote_ident has it, always in quotes. */
export const quoted = (name: string): string => pg.escapeIdentifier(name);
