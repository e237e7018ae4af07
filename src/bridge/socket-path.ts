import path from 'node:path';

/** Linux limits a socket's path to 108 bytes, including the final NUL. */
const MAX_SOCKET_PATH = 107;

/** libpq's name of a socket in a folder. */
export const socketPath = (dir: string, port: number): string => path.join(dir, `.s.PGSQL.${port}`);

export const fitsSocket = (dir: string): boolean => Buffer.byteLength(socketPath(dir, 65_535)) <= MAX_SOCKET_PATH;
