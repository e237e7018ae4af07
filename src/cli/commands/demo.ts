import { createLogger } from '../../runtime/logger.ts';
import { runDemo } from '../demo/demo.ts';
import { command } from './command.ts';
import { compute } from './compute.ts';
import { untilSignal } from './signals.ts';
import { upOptions, upSettings } from './up-options.ts';

export const demoCommand = command({
  title: 'the whole loop on real data',
  settings: [...upSettings, 'data'],
  async run(given) {
    await compute(given.settings);
    const { data } = given.settings;
    await runDemo({ ...upOptions(given), data }, createLogger('demo', 'warn'), untilSignal());
  },
});
