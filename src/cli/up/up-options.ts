import type { HttpAddress } from './http-address.ts';

export interface UpOptions {
  /** Absent: an embedded PostgreSQL is started. */
  databaseUrl?: string | undefined;
  /** URL of rafiki_reader in that database. */
  readerUrl?: string | undefined;
  dataDir: string;
  port: number | undefined;
  bridgeHost: string | undefined;
  bridgePort: number | undefined;
  /** Absent: no HTTP server. */
  http?: HttpAddress | undefined;
  /** Port of the metrics of serving; the coordinator and the workers have the next ones. Absent: none. */
  metricsPort?: number | undefined;
  /** Number of worker processes; default: one per core. */
  workers?: number | undefined;
  /** The environment of the child processes, before `up` adds its own settings. */
  environment: NodeJS.ProcessEnv;
}
