import { execFileSync } from 'node:child_process';

/** Debian's Python, which has Debian's libraries; another may come first on the path. */
const PYTHON = '/usr/bin/python3';

const packages = { sklearn: 'python3-sklearn', torch: 'python3-torch' } as const;

/** Whether Python has a module that numbers are checked against. Says where it has not that tests are skipped. */
export function hasPython(module: keyof typeof packages): boolean {
  try {
    execFileSync(PYTHON, ['-c', `import ${module}`], { stdio: 'ignore' });
    return true;
  } catch {
    console.log(`${PYTHON} has no ${module}, so comparisons with it are skipped: apt-get install ${packages[module]}`);
    return false;
  }
}

/** What a script prints as JSON for this input, as JSON, too. */
export const askPython = (script: string, input: unknown): unknown =>
  JSON.parse(execFileSync(PYTHON, ['-c', script], { input: JSON.stringify(input), maxBuffer: 2 ** 28 }).toString());
