import { randomBytes } from 'node:crypto';
import { createVerifier } from '../bridge/scram.ts';
import type { Queryable } from '../db/database.ts';
import { StatementRefused } from '../errors/errors.ts';

/** The logins of the processes; `sql/incremental/0002-roles.sql` creates them without passwords. */
export const SERVICE = 'rafiki_service';
const logins = [SERVICE, 'rafiki_reader'];

export const freshPassword = (): string => randomBytes(18).toString('base64url');

/** Sets one password for both logins. Only the SCRAM verifier is sent to the server and its statement log. */
export async function setServicePassword(on: Queryable, password: string): Promise<void> {
  for (const role of logins) await setPassword(on, role, password);
}

export async function setPassword(on: Queryable, role: string, password: string): Promise<void> {
  const [row] = await on.query<{ statement: string }>(
    `select pg_catalog.format('alter role %I password %L', $1::pg_catalog.text, $2::pg_catalog.text) as statement`,
    [role, scramVerifier(password)],
  );
  await on.query(row?.statement ?? '');
}

/** Whether the service and the reader have passwords; undefined if the role may not see that. */
export async function hasServicePassword(on: Queryable): Promise<boolean | undefined> {
  const [may] = await on.query<{ may: boolean }>(
    `select pg_catalog.has_table_privilege('pg_catalog.pg_authid', 'select') as may`,
  );
  if (!may?.may) return undefined;
  const sql = `
    select from pg_catalog.pg_authid r
    where r.rolname operator(pg_catalog.=) any ($1::pg_catalog.name[]) and r.rolpassword is not null`;
  return (await on.query(sql, [logins])).length > 0;
}

/** The URL of another role in the same database. */
export function urlAs(url: string, role: string, password: string): string {
  const changed = new URL(url);
  changed.username = role;
  changed.password = password;
  return changed.href;
}

/** The URL without its password, which libpq clients such as psql can read from a file instead. */
export function withoutPassword(url: string, passfile?: string): string {
  const changed = new URL(url);
  changed.password = '';
  if (passfile !== undefined) changed.searchParams.set('passfile', passfile);
  return changed.href;
}

/**
 * The line of a password file for a URL; colons and backslashes are escaped (PostgreSQL manual, "The Password File").
 */
export function passfileLine(url: string): string {
  const { hostname, port, pathname, username, password } = new URL(url);
  const parts = [hostname, port, pathname.slice(1), username, password].map(decodeURIComponent);
  return parts.map((part) => part.replaceAll(/[\\:]/g, '\\$&')).join(':');
}

/** A password in PostgreSQL's format: SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey> (RFC 5803). */
export function scramVerifier(password: string): string {
  const { iterations, salt, storedKey, serverKey } = createVerifier(password);
  const [salted, stored, server] = [salt, storedKey, serverKey].map((bytes) => bytes.toString('base64'));
  return `SCRAM-SHA-256$${iterations}:${salted}$${stored}:${server}`;
}

/**
 * Adds hints to an error of a refused login. PostgreSQL does not distinguish a missing role from a wrong password, so
 * the hint covers both.
 */
export function loginRefused(error: unknown): unknown {
  const { code = '', message = '' } = error as { code?: string; message?: string };
  const hint = loginHints[code];
  return hint === undefined ? error : new StatementRefused(code, message, { hint, cause: error });
}

const loginHints: Record<string, string> = {
  '28000':
    'Is rafiki installed in this cluster? "rafiki install --database-url URL" creates the role rafiki_service, whose URL is needed here.',
  '28P01':
    'Is rafiki installed in this cluster? "RAFIKI_SERVICE_PASSWORD=… rafiki install --database-url URL" creates the role rafiki_service with that password.',
  '3D000': 'Name a database of this server in the URL, in which rafiki is installed: psql -l lists them.',
};
