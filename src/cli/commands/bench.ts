import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { EnvironmentUnfit } from '../../errors/errors.ts';
import { command } from './command.ts';

export const benchCommand = command({
  title: 'runs benchmarks (from a clone only)',
  settings: ['json'],
  takesWords: true,
  async run({ settings, words }) {
    const root = path.resolve(import.meta.dirname, '../../..');
    const entry = path.join(root, 'bench/main.ts');
    if (!existsSync(entry)) throw new EnvironmentUnfit('benchmarks are only in a clone, not in the package');
    const args = ['--import', 'tsx', entry, ...words, ...(settings.json ? ['--json'] : [])];
    const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
    process.exitCode = await new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
  },
});
