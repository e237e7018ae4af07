import { existsSync } from 'node:fs';
import path from 'node:path';
import { ShuttingDown } from '../../errors/errors.ts';
import { createLogger } from '../../runtime/logger.ts';
import { demoDir, USER_URL } from '../up/data-dir.ts';
import { Up } from '../up/up.ts';
import type { UpOptions } from '../up/up-options.ts';
import { command } from './command.ts';
import { compute } from './compute.ts';
import { familySources } from './family-sources.ts';
import { untilSignal } from './signals.ts';
import { upOptions, upSettings } from './up-options.ts';

export const upCommand = command({
  title: 'runs everything: Postgres, coordinator, workers, serving, HTTP',
  settings: ['databaseUrl', 'readerUrl', 'json', ...upSettings],
  async run(given) {
    const { settings } = given;
    const { databaseUrl, readerUrl, json = false, log = 'warn' } = settings;
    await compute(settings);
    await familySources(settings); // a fault is shown here, not in the log of workers that do not start
    const options = { ...upOptions(given), databaseUrl, readerUrl };
    const all = new Up(options, createLogger('up', log));
    const stopped = untilSignal();
    try {
      await Promise.race([all.start(), stopped.then(() => Promise.reject(new ShuttingDown('stopped while starting')))]);
      process.stdout.write(json ? readyLine(all) : readyText(all, options));
      await stopped;
    } finally {
      await all.stop();
    }
  },
});

const readyLine = ({ databaseUrl, bridgePort, httpUrl }: Up): string =>
  `${JSON.stringify({ event: 'ready', database_url: databaseUrl, bridge_port: bridgePort, http_url: httpUrl })}\n`;

function readyText(all: Up, { databaseUrl, dataDir }: UpOptions): string {
  const lines = ['ready', '', `  psql '${all.shownUrl}'`, ''];
  if (all.httpUrl !== undefined) lines.push(`dashboard and REST, with a role and its password: ${all.httpUrl}`);
  if (databaseUrl === undefined)
    lines.push(`URL for other clients, with its password: ${path.join(dataDir, USER_URL)}`);
  lines.push(`logs: ${dataDir}/rafiki.log`);
  const demo = demoDir(dataDir);
  if (existsSync(path.join(demo, 'db'))) lines.push(`tables and model of the demo: rafiki up --data-dir ${demo}`);
  return `${lines.join('\n')}\n`;
}
