import { randomBytes } from 'node:crypto';
import { Database } from '../../db/database.ts';
import { rotateSecret } from '../../db/statements/serving/bridges.ts';
import { command, loggerOf } from './command.ts';
import { requireUrl } from './database-url.ts';

/** Servers use the new secret within seconds; connected sessions continue. */
export const rotateSecretCommand = command({
  title: 'changes the secret between Postgres and the prediction servers',
  settings: ['databaseUrl'],
  async run({ settings }) {
    const url = requireUrl(settings);
    const database = new Database({ url, application: 'rafiki rotate-secret', logger: loggerOf('rafiki', settings) });
    try {
      await rotateSecret(database, randomBytes(24).toString('hex'));
      process.stdout.write("the bridge's secret is changed\n");
    } finally {
      await database.stop();
    }
  },
});
