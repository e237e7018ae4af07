import { createServer } from 'node:net';
import { EnvironmentUnfit } from '../../errors/errors.ts';

/** Default ports of `up`. */
export const POSTGRES_PORT = 54_320;
export const BRIDGE_PORT = 54_321;
export const HTTP_PORT = 54_322;

/**
 * Returns `requested` if it is free, else throws {@link EnvironmentUnfit}. Without a request, returns `usual` or any
 * free port.
 */
export async function choosePort(requested: number | undefined, usual: number, flag: string): Promise<number> {
  const port = await tryPort(requested ?? usual);
  if (port !== undefined) return port;
  const any = requested === undefined ? await tryPort(0) : undefined;
  if (any !== undefined) return any;
  throw new EnvironmentUnfit(`port ${requested ?? usual} is in use`, { hint: `Choose another one with ${flag}.` });
}

/** The port if it is free, any free one for 0. */
export function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : undefined));
    });
  });
}
