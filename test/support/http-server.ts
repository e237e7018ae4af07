import { createHttp, type HttpServer } from '../../src/http/create-http.ts';
import { defaultHttpLimits, type HttpLimits } from '../../src/http/limits.ts';
import { type Logger, silentLogger } from '../../src/runtime/logger.ts';
import { type HttpClient, httpClient } from './http-client.ts';
import type { TestDatabase } from './postgres.ts';

export interface TestHttp {
  server: HttpServer;
  url: string;
  /** A client of a role that is created with its first use; and the role's name, which the whole cluster knows. */
  as(role: string): Promise<{ client: HttpClient; role: string }>;
}

/** The HTTP server of a test's database, in this process. */
export async function startHttp(
  database: TestDatabase,
  {
    limits = {},
    logger = silentLogger,
    cors,
    origin,
  }: { limits?: Partial<HttpLimits>; logger?: Logger; cors?: string[]; origin?: string } = {},
): Promise<TestHttp> {
  const server = createHttp({
    database: database.service,
    host: '127.0.0.1',
    port: 0,
    corsOrigins: cors,
    origin,
    limits: { ...defaultHttpLimits, ...limits },
    logger,
  });
  await server.start();
  const url = server.url();
  return {
    server,
    url,
    async as(name) {
      const session = await database.as(name);
      const [row] = await session.query<{ role: string }>('select current_user::text as role');
      const role = row?.role ?? '';
      return { client: httpClient(url, role), role };
    },
  };
}
