import path from 'node:path';

const script = path.join(import.meta.dirname, 'softmax.mjs');

/** The command of a family for tests; `fault`: what it does wrong. */
export const softmaxPlace = (fault = '', name = 'softmax'): { command: string; path: string } => ({
  command: `"${process.execPath}" "${script}" '${fault}' ${name}`,
  path: '/usr/local/bin:/usr/bin:/bin',
});
