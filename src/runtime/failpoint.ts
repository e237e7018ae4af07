/**
 * Named places at which a test can kill a process: `RAFIKI_FAILPOINTS=worker.after-checkpoint:2` kills it at the second
 * pass. Without the variable a pass costs one map look-up.
 */
const remaining = new Map(
  (process.env['RAFIKI_FAILPOINTS'] ?? '')
    .split(',')
    .filter(Boolean)
    .map((entry): [string, number] => {
      const [name = '', passes = '1'] = entry.split(':');
      return [name, Number(passes)];
    }),
);

export function failpoint(name: string): void {
  const passes = remaining.get(name);
  if (passes === undefined) return;
  if (passes <= 1) process.kill(process.pid, 'SIGKILL');
  remaining.set(name, passes - 1);
}
