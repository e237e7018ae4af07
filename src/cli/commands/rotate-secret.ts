import { randomBytes } from 'node:crypto';
import { Database } from '../../db/database.ts';
import { rotateSecret as rotate } from '../../db/statements/bridges.ts';
import { command, loggerOf } from './command.ts';
import { requireUrl } from './database-url.ts';

/** Servers take the new secret within seconds; sessions that are connected go on. */
export const rotateSecret = command({
  title: 'another secret between Postgres and the servers of predictions',
  settings: ['databaseUrl'],
  async run({ settings }) {
    const url = requireUrl(settings);
    const database = new Database({ url, application: 'rafiki rotate-secret', logger: loggerOf('rafiki', settings) });
    try {
      await rotate(database, randomBytes(24).toString('hex'));
      process.stdout.write('the bridge has another secret\n');
    } finally {
      await database.stop();
    }
  },
});
