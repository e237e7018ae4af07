import { choosePort, HTTP_PORT } from './free-port.ts';

/** Where the HTTP server of `up` listens. */
export interface HttpAddress {
  host: string;
  /** Undefined: the usual one, or any that is free. */
  port: number | undefined;
  isTls: boolean;
}

/** The address with its port, and its URL for clients on this machine. */
export async function chooseHttp(http: HttpAddress): Promise<{ port: number; url: string }> {
  const port = await choosePort(http.port, HTTP_PORT, '--http-port');
  const host = ['0.0.0.0', '::'].includes(http.host) ? '127.0.0.1' : http.host;
  return { port, url: `${http.isTls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}` };
}
