import type { Queryable } from '../../db/database.ts';
import { EnvironmentUnfit } from '../../errors/errors.ts';
import { freshPassword, hasServicePassword, SERVICE, setServicePassword } from '../logins.ts';
import { readSecret, writeSecret } from './secret-file.ts';

/** Whether the service's role exists; it may then have a password that another database's processes use. */
export async function hasService(on: Queryable): Promise<boolean> {
  const sql = 'select from pg_catalog.pg_roles r where r.rolname operator(pg_catalog.=) $1::pg_catalog.name';
  return (await on.query(sql, [SERVICE])).length > 0;
}

/**
 * The service's password from `file`. If there is none, creates one, unless the role existed before (`wasThere`) and
 * may have a password: roles belong to all databases of a cluster. Throws {@link EnvironmentUnfit}.
 */
export async function servicePassword(on: Queryable, file: string, wasThere: boolean): Promise<string> {
  const kept = readSecret(file);
  if (kept !== undefined) return kept;
  if ((await hasServicePassword(on)) ?? wasThere) throw unknownPassword(file);
  const password = freshPassword();
  await setServicePassword(on, password);
  writeSecret(file, password); // only after it is set
  return password;
}

const unknownPassword = (file: string): EnvironmentUnfit =>
  new EnvironmentUnfit(`the password of ${SERVICE} is not known here`, {
    detail: `The role exists, but ${file} does not. Other databases of the cluster may use the role, so its password is not changed.`,
    hint:
      `Write its password into that file, or use its URL, --database-url postgres://${SERVICE}:…@…. ` +
      'If the password is lost, an administrator can set a new one: RAFIKI_SERVICE_PASSWORD=… rafiki install.',
  });
