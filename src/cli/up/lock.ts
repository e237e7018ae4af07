import { closeSync, existsSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { EnvironmentUnfit } from '../../errors/errors.ts';

/** Locks a data folder for one `rafiki up`. A lock of a dead process is replaced. Throws {@link EnvironmentUnfit}. */
export function takeLock(dataDir: string): string {
  const file = path.join(dataDir, 'up.pid');
  if (existsSync(file)) {
    const pid = Number(readFileSync(file, 'utf8')); // 0 if its process was killed before writing
    if (pid > 0 && pid !== process.pid && isAlive(pid)) {
      throw new EnvironmentUnfit(`${dataDir} is in use`, {
        detail: `Process ${pid} runs rafiki on it.`,
        hint: 'Stop it first, or choose another folder with --data-dir.',
      });
    }
    rmSync(file, { force: true });
  }
  const lock = openSync(file, 'wx');
  writeSync(lock, String(process.pid));
  closeSync(lock);
  return file;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
