/** What the operating system says, by its name of it: the SQLSTATE that PostgreSQL has for the same, and what helps. */
const known: Record<string, readonly [sqlstate: string, what: string, hint: string]> = {
  ENOENT: ['58P01', 'there is no such file or folder', 'Look for a typo in the path, or make it.'],
  ENOTDIR: ['58P01', 'a part of the path is no folder', 'Name another path.'],
  EISDIR: ['58P01', 'it is a folder, and no file', 'Name a file.'],
  EEXIST: ['58P02', 'it is there already', 'Remove it, or name another path.'],
  EACCES: ['42501', 'this user may not do that', 'Change who may, or run it as another user.'],
  EPERM: ['42501', 'this user may not do that', 'Change who may, or run it as another user.'],
  EROFS: ['58030', 'the file system is read only', 'Name a path on another one.'],
  ENOSPC: ['53100', 'the disk is full', 'Make room, and try again.'],
  EDQUOT: ['53100', 'the disk quota is used up', 'Make room, and try again.'],
  EMFILE: ['53000', 'too many files are open', 'Raise the limit: ulimit -n.'],
  ENOTFOUND: ['08001', 'the name of the host is not known', 'Look for a typo in the host of the URL.'],
  EAI_AGAIN: [
    '08001',
    'the name of the host cannot be looked up now',
    'Look at the network and its name servers, and try again.',
  ],
  ECONNREFUSED: ['08001', 'nothing listens there', 'Is the server running, on that host and port?'],
  EHOSTUNREACH: ['08001', 'the host cannot be reached', 'Look at the network, and at the host of the URL.'],
  ENETUNREACH: ['08001', 'the host cannot be reached', 'Look at the network, and at the host of the URL.'],
  ETIMEDOUT: ['08006', 'there was no answer in time', 'Look at the network, and try again.'],
  ECONNRESET: ['08006', 'the other side closed the connection', 'Look into its log, and try again.'],
  EPIPE: ['08006', 'the other side closed the connection', 'Look into its log, and try again.'],
};

/** What is said of an error of the operating system. */
interface SystemReport {
  sqlstate: string;
  message: string;
  detail: string;
  hint: string;
}

/** An error of the operating system, in words; undefined where it is none, or none that is known. Pure. */
export function systemReport(error: unknown): SystemReport | undefined {
  if (!(error instanceof Error)) return undefined;
  // of several addresses of one host each has failed; Node gathers that without a message
  const one = error instanceof AggregateError && error.errors[0] instanceof Error ? error.errors[0] : error;
  const { code = '', syscall, path, hostname, address, port } = one as NodeJS.ErrnoException & Partial<Where>;
  const found = known[code];
  if (found === undefined || syscall === undefined) return undefined;
  const [sqlstate, what, hint] = found;
  const where = path ?? hostname ?? (address === undefined ? undefined : `${address}${port ? `:${port}` : ''}`);
  return { sqlstate, message: where === undefined ? what : `${what}: ${where}`, detail: one.message, hint };
}

interface Where {
  hostname: string;
  address: string;
  port: number;
}
