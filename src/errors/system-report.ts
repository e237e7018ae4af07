/** Errors of the operating system by code: PostgreSQL's SQLSTATE for the same condition, a description, and a hint. */
const known: Record<string, readonly [sqlstate: string, what: string, hint: string]> = {
  ENOENT: ['58P01', 'the file or folder does not exist', 'Check the path, or create it.'],
  ENOTDIR: ['58P01', 'a part of the path is not a folder', 'Use another path.'],
  EISDIR: ['58P01', 'it is a folder, not a file', 'Use a file.'],
  EEXIST: ['58P02', 'it exists already', 'Remove it, or use another path.'],
  EACCES: ['42501', 'permission denied', 'Change the permissions, or use another user.'],
  EPERM: ['42501', 'permission denied', 'Change the permissions, or use another user.'],
  EROFS: ['58030', 'the file system is read-only', 'Use a path on another file system.'],
  ENOSPC: ['53100', 'the disk is full', 'Free space, and try again.'],
  EDQUOT: ['53100', 'the disk quota is used up', 'Free space, and try again.'],
  EMFILE: ['53000', 'too many files are open', 'Raise the limit: ulimit -n.'],
  ENOTFOUND: ['08001', 'the host name is unknown', 'Check the host in the URL.'],
  EAI_AGAIN: [
    '08001',
    'the host name cannot be resolved at the moment',
    'Check the network and its name servers, and try again.',
  ],
  ECONNREFUSED: ['08001', 'no server listens there', 'Check that the server is running, on that host and port.'],
  EHOSTUNREACH: ['08001', 'the host cannot be reached', 'Check the network, and the host in the URL.'],
  ENETUNREACH: ['08001', 'the host cannot be reached', 'Check the network, and the host in the URL.'],
  ETIMEDOUT: ['08006', 'there was no answer in time', 'Check the network, and try again.'],
  ECONNRESET: ['08006', 'the other side closed the connection', 'Check its log, and try again.'],
  EPIPE: ['08006', 'the other side closed the connection', 'Check its log, and try again.'],
};

/** The description of an error of the operating system. */
interface SystemReport {
  sqlstate: string;
  message: string;
  detail: string;
  hint: string;
}

/** Describes an error of the operating system; undefined for any other or unknown error. Pure. */
export function systemReport(error: unknown): SystemReport | undefined {
  if (!(error instanceof Error)) return undefined;
  // Each of a host's addresses has failed; Node combines the errors without a message.
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
