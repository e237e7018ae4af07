import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { EnvironmentUnfit } from '../../errors/errors.ts';

/**
 * Locks a data folder for one `rafiki up`. A lock of a process that has ended is replaced, also if another process has its
 * id now: after a power loss, or in another container. Throws {@link EnvironmentUnfit}.
 */
export function takeLock(dataDir: string): string {
  const file = path.join(dataDir, 'up.pid');
  const [id, birth] = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
  const pid = Number(id); // 0 if its process was killed before writing
  if (pid > 0 && isAlive(pid) && isSame(pid, birth)) {
    throw new EnvironmentUnfit(`${dataDir} is in use`, {
      detail: `Process ${pid} runs rafiki on it.`,
      hint: 'Stop it first, or choose another folder with --data-dir.',
    });
  }
  rmSync(file, { force: true });
  writeFileSync(file, `${process.pid}\n${birthOf(process.pid)}\n`, { flag: 'wx' });
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

/** Whether it is the process that wrote `birth`; where that is not known, any other than this one counts as it. */
function isSame(pid: number, birth = ''): boolean {
  const known = birthOf(pid);
  return known === '' || birth === '' ? pid !== process.pid : known === birth;
}

/**
 * What a later process with the same id does not have: the time of its start in ticks, and the id of the machine's start
 * that they are counted from. Empty where the system has no such files.
 */
function birthOf(pid: number): string {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' '); // from field 3 on; a name may hold anything
    return `${fields?.[19]} ${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}`;
  } catch {
    return '';
  }
}
