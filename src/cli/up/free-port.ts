import { createServer } from 'node:net';
import { EnvironmentUnfit } from '../../errors/errors.ts';

/** The first ports that `up` tries. */
export const POSTGRES_PORT = 54_320;
export const BRIDGE_PORT = 54_321;

/** `wanted` if nobody listens there; with no wish, `usual` or, where that is taken, any free port. */
export async function choosePort(wanted: number | undefined, usual: number, flag: string): Promise<number> {
  const port = await tryPort(wanted ?? usual);
  if (port !== undefined) return port;
  const any = wanted === undefined ? await tryPort(0) : undefined;
  if (any !== undefined) return any;
  throw new EnvironmentUnfit(`port ${wanted ?? usual} is taken`, { hint: `Choose another one with ${flag}.` });
}

function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : undefined));
    });
  });
}
