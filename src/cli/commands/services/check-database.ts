import type { Database } from '../../../db/database.ts';
import { EnvironmentUnfit } from '../../../errors/errors.ts';
import { version } from '../../../runtime/version.ts';
import { readParts } from '../../install/script-parts.ts';
import { SERVICE } from '../../logins.ts';

interface CheckedLogin {
  name: string;
  super: boolean;
  database: string;
  installed: boolean;
  /** Whether it has the rights of the service. */
  works: boolean;
  /** Whether it is a standby, which can only be read. */
  standby: boolean;
}

/**
 * A process that reads other users' data must not have more rights than it needs, and starts only where all tables and columns exist that it was
 * written for.
 */
export async function checkDatabase(database: Database): Promise<void> {
  const [row] = await database.query<CheckedLogin>(
    `
    select rolname as name, rolsuper or rolbypassrls as super, current_database() as database,
      to_regclass('rafiki.migration') is not null as installed,
      exists (select from pg_roles s where s.rolname = $1 and pg_has_role(s.oid, 'usage')) as works,
      pg_is_in_recovery() as standby
    from pg_roles where rolname = current_user`,
    [SERVICE],
  );
  if (row?.standby) {
    throw new EnvironmentUnfit(`database ${row.database} is a read-only standby`, {
      hint: 'Use the URL of the primary, or promote this server. Sessions of the standby predict by the servers of the primary.',
    });
  }
  if (row !== undefined && !row.super && row.installed && row.works) return checkVersion(database);
  if (row?.super) {
    throw new EnvironmentUnfit(`rafiki does not run as role ${row.name}, which has unrestricted rights`, {
      detail: 'It is a superuser, or exempt from row-level security.',
      hint: 'Use the URL of rafiki_service, which "rafiki install" creates.',
    });
  }
  if (row?.installed) {
    throw new EnvironmentUnfit(`rafiki does not run as role ${row.name}, which lacks the required rights`, {
      detail: `It does not have the rights of ${SERVICE}, which writes studies, trials and models.`,
      hint: `Use that role's URL: DATABASE_URL=postgres://${SERVICE}:…@HOST/${row.database}; "RAFIKI_SERVICE_PASSWORD=… rafiki install" sets its password.`,
    });
  }
  throw new EnvironmentUnfit(`rafiki is not installed in database ${row?.database}`, {
    hint: 'Install it with: rafiki install --database-url URL, as a superuser, or after docs/install-managed.sql.',
  });
}

/** What a newer version has added does not matter: processes of both work on a database while they are replaced one after another. */
async function checkVersion(database: Database): Promise<void> {
  const rows = await database.query<{ name: string }>('select name from rafiki.migration');
  const applied = new Set(rows.map(({ name }) => name));
  const missing = readParts().incremental.filter(({ name }) => !applied.has(name));
  const [first] = missing;
  if (first === undefined) return;
  throw new EnvironmentUnfit(`the database has an older version of rafiki than ${version}`, {
    detail: `It lacks ${first.name}${missing.length === 1 ? '' : ` and ${missing.length - 1} other changes`}.`,
    hint: 'Upgrade it with: rafiki install --database-url URL, as a superuser, or after docs/install-managed.sql.',
  });
}
