import { inject } from 'vitest';
import { SERVICE, urlAs } from '../../src/cli/logins.ts';
import { Database } from '../../src/db/database.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { SERVICE_PASSWORD } from './service-password.ts';

/** A database of a test's own, cloned from the template in about 40 ms, with rafiki installed; of `template0` without. */
export interface TestDatabase {
  url: string;
  /** As a superuser. */
  db: Database;
  /** As our processes, which are none. */
  service: Database;
  /** Another session, as `role` (created with a password, LOGIN and no rights), for tests of who may do what. */
  as(role: string): Promise<Database>;
  drop(): Promise<void>;
}

export const postgresVersion = (): number => inject('postgresVersion');

let created = 0;

const TEMPLATE = 'rafiki_template';

/** One whose studies do not train their members again on all rows, where that is not what is tested: it takes as long as the trial. */
export const createDatabaseWithoutRefits = (): Promise<TestDatabase> =>
  createTestDatabase(TEMPLATE, { 'rafiki.refit': 'off' });

/** With settings for all of its sessions. */
export async function createTestDatabase(
  template = TEMPLATE,
  settings: Record<string, string> = {},
): Promise<TestDatabase> {
  const adminUrl = inject('postgresUrl');
  const name = `t_${process.pid}_${created++}`;
  const admin = new Database({
    url: adminUrl,
    application: 'test',
    maxConnections: 1,
    asUser: true,
    logger: silentLogger,
  });
  await admin.query(`create database ${name} template ${template} strategy file_copy`);
  for (const [setting, value] of Object.entries(settings))
    await admin.query(`alter database ${name} set ${setting} = ${value}`);
  const url = withDatabase(adminUrl, name);
  const db = new Database({ url, application: 'test', asUser: true, logger: silentLogger });
  const service = new Database({
    url: urlAs(url, SERVICE, SERVICE_PASSWORD),
    application: 'test',
    logger: silentLogger,
  });
  const open: Database[] = [db, service];
  const roles: string[] = [];
  return {
    url,
    db,
    service,
    async as(role) {
      const unique = `${role}_${name}`; // roles belong to the cluster, not to the database
      if (!roles.includes(unique)) {
        await admin.query(`create role ${unique} login password 'secret'`);
        roles.push(unique);
      }
      const session = new Database({
        url: urlAs(url, unique, 'secret'),
        application: 'test',
        maxConnections: 1,
        asUser: true,
        logger: silentLogger,
      });
      open.push(session);
      return session;
    },
    async drop() {
      await Promise.all(open.map((each) => each.stop()));
      await admin.query(`drop database ${name} with (force)`);
      for (const role of roles) await admin.query(`drop role if exists ${role}`);
      await admin.stop();
    },
  };
}

function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}
