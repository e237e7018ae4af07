import type { Queryable } from '../../db/database.ts';
import { EnvironmentUnfit } from '../../errors/errors.ts';
import { freshPassword, hasServicePassword, SERVICE, setServicePassword } from '../logins.ts';
import { keepSecret, readSecret } from './secret-file.ts';

/** Whether the role of the service is there, in which case it may have a password that processes of another database use. */
export async function hasService(on: Queryable): Promise<boolean> {
  const sql = 'select from pg_catalog.pg_roles r where r.rolname operator(pg_catalog.=) $1::pg_catalog.name';
  return (await on.query(sql, [SERVICE])).length > 0;
}

/**
 * The password of the service that a file keeps. Where there is none it is made, unless there may be one already: roles belong to all
 * databases of a cluster. `wasThere`: the role, before rafiki was installed.
 */
export async function servicePassword(on: Queryable, file: string, wasThere: boolean): Promise<string> {
  const kept = readSecret(file);
  if (kept !== undefined) return kept;
  if ((await hasServicePassword(on)) ?? wasThere) throw unknownPassword(file);
  const password = freshPassword();
  await setServicePassword(on, password);
  keepSecret(file, password); // now that it holds
  return password;
}

const unknownPassword = (file: string): EnvironmentUnfit =>
  new EnvironmentUnfit(`the password of ${SERVICE} is not known here`, {
    detail: `The role was there before, and ${file} is not. Other databases of the cluster may use it: it is not changed.`,
    hint:
      `Write its password into that file, or give its URL, --database-url postgres://${SERVICE}:…@…. ` +
      'Where nobody knows it, an administrator gives it another one: RAFIKI_SERVICE_PASSWORD=… rafiki install.',
  });
