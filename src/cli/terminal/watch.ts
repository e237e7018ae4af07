import { sleep } from '../../runtime/sleep.ts';
import { command } from '../commands/command.ts';
import { untilSignal } from '../commands/signals.ts';
import { overview } from './overview.ts';
import { userSettings, withUser } from './user-session.ts';

const EVERY_MS = 2_000;
const CLEAR = '\x1b[H\x1b[2J';

export const statusCommand = command({
  title: 'shows processes, studies, models and predictions',
  settings: [...userSettings],
  run: ({ settings }) =>
    withUser(settings, async (database) => {
      process.stdout.write(`${await overview(database)}\n`);
    }),
});

export const topCommand = command({
  title: 'shows the same again and again, until Ctrl-C',
  settings: [...userSettings],
  run: ({ settings }) =>
    withUser(settings, async (database) => {
      const stopping = new AbortController();
      void untilSignal().then(() => stopping.abort());
      process.stdout.once('error', () => stopping.abort()); // its reader has ended, as head does
      while (!stopping.signal.aborted) {
        const text = await overview(database);
        const time = new Date().toTimeString().slice(0, 8);
        process.stdout.write(`${process.stdout.isTTY ? CLEAR : ''}rafiki ${time}\n\n${text}\n`);
        await sleep(EVERY_MS, stopping.signal);
      }
    }),
});
