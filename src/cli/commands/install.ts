import { Database } from '../../db/database.ts';
import { EnvironmentUnfit } from '../../errors/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import { install } from '../install/install.ts';
import { ownerMembers } from '../install/owner-role.ts';
import { uninstall } from '../install/uninstall.ts';
import { hasServicePassword, SERVICE, setServicePassword, urlAs } from '../logins.ts';
import { command, loggerOf } from './command.ts';
import { requireUrl } from './database-url.ts';
import { givenPassword, passwordSettings } from './given-password.ts';

export const installCommand = command({
  title: 'installs or upgrades the SQL side in a database',
  settings: ['databaseUrl', ...passwordSettings],
  async run({ settings }) {
    const logger = loggerOf('rafiki', settings);
    // The session keeps its own search path, which selects the API's schema, until install() pins it; other names are
    // qualified.
    const database = new Database({ url: requireUrl(settings), application: 'rafiki install', installs: true, logger });
    try {
      process.stdout.write(`rafiki is installed (${await install(database)})\n`);
      const password = givenPassword(settings);
      if (password !== undefined) await givePassword(database, password, logger);
      else if ((await hasServicePassword(database)) === false) process.stdout.write(passwordHint);
      const members = await ownerMembers(database);
      if (members.length > 0) process.stderr.write(membersHint(members));
    } finally {
      await database.stop();
    }
  },
});

/** Keeps the roles, because they belong to the whole cluster. */
export const uninstallCommand = command({
  title: 'removes the SQL side, with all studies and models',
  settings: ['databaseUrl'],
  async run({ settings }) {
    const logger = loggerOf('rafiki', settings);
    const database = new Database({ url: requireUrl(settings), application: 'rafiki uninstall', asUser: true, logger });
    try {
      await uninstall(database);
      process.stdout.write('rafiki is removed\n');
    } finally {
      await database.stop();
    }
  },
});

/** An administrator may have set the password, which this role may not be allowed to do. */
async function givePassword(database: Database, password: string, logger: Logger): Promise<void> {
  try {
    await setServicePassword(database, password);
  } catch (cause) {
    if ((cause as { code?: string }).code !== '42501') throw cause;
    const url = urlAs(database.url, SERVICE, password);
    const login = new Database({ url, application: 'rafiki install', logger });
    try {
      await login.start();
    } catch {
      throw new EnvironmentUnfit(`the password of ${SERVICE} is a different one, and this role may not change it`, {
        detail: (cause as Error).message,
        hint: 'An administrator can set it with docs/install-managed.sql; see its first lines.',
        cause,
      });
    } finally {
      await login.stop();
    }
  }
}

const passwordHint = `
The logins of rafiki's processes have no password yet. Install again with RAFIKI_SERVICE_PASSWORD, or enter:
  \\password rafiki_service
  \\password rafiki_reader
in psql, with the same one.
`;

const membersHint = (members: readonly string[]): string => `
Members of rafiki_owner can do everything with rafiki in each database of this cluster. After the installation no member is needed;
an administrator removes them with:
  revoke rafiki_owner from ${members.join(', ')};
`;
