import { availableParallelism, homedir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type DeviceName, parseDevice } from '../engine/device-name.ts';
import { InvalidParameter } from '../errors/errors.ts';

/** What the commands take: flag, then environment, then default. */
export interface Options {
  databaseUrl: string | undefined;
  dataDir: string;
  port: number | undefined;
  bridgeHost: string | undefined;
  bridgePort: number | undefined;
  workers: number;
  threads: number | undefined;
  /** Where models are trained and answer. */
  device: DeviceName;
  json: boolean;
  /** `rafiki demo --data FILE.csv` (columns label, text). */
  data: string | undefined;
  /** Words that are not flags: `rafiki bench NAME`. */
  positionals: string[];
}

/** The first ports that `up` tries. */
export const POSTGRES_PORT = 54_320;
export const BRIDGE_PORT = 54_321;

/** Where `demo` keeps its own database: beside the user's, whose tables it must not touch. */
export const demoDir = (dataDir: string): string => path.join(dataDir, 'demo');

export const defaultDataDir = (): string =>
  process.getuid?.() === 0
    ? '/var/lib/rafiki' // a folder of root's home is out of reach for the user that Postgres runs as
    : path.join(process.env['XDG_DATA_HOME'] ?? path.join(homedir(), '.local/share'), 'rafiki');

export function parseOptions(args: readonly string[], { allowPositionals = false } = {}): Options {
  const env = process.env;
  const { values, positionals } = readFlags(args, allowPositionals);
  return {
    databaseUrl: values['database-url'] ?? env['DATABASE_URL'],
    dataDir: path.resolve(values['data-dir'] ?? env['RAFIKI_DATA_DIR'] ?? defaultDataDir()),
    port: number('port', values.port ?? env['RAFIKI_PORT'], 65_535),
    bridgeHost: values['bridge-host'] ?? env['RAFIKI_BRIDGE_HOST'],
    bridgePort: number('bridge-port', values['bridge-port'] ?? env['RAFIKI_BRIDGE_PORT'], 65_535),
    workers: number('workers', values.workers ?? env['RAFIKI_WORKERS'], 1_024) ?? availableParallelism(),
    threads: number('threads', values.threads ?? env['RAFIKI_THREADS'], 1_024),
    device: parseDevice(values.device ?? env['RAFIKI_DEVICE']),
    json: values.json ?? false,
    data: values.data,
    positionals,
  };
}

function readFlags(args: readonly string[], allowPositionals: boolean) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals,
      options: {
        'database-url': { type: 'string' },
        'data-dir': { type: 'string' },
        port: { type: 'string' },
        'bridge-host': { type: 'string' },
        'bridge-port': { type: 'string' },
        workers: { type: 'string' },
        threads: { type: 'string' },
        device: { type: 'string' },
        json: { type: 'boolean' },
        data: { type: 'string' },
      },
    });
  } catch (cause) {
    throw new InvalidParameter(cause instanceof Error ? cause.message : String(cause), {
      hint: 'rafiki --help lists the flags.',
      cause,
    });
  }
}

function number(name: string, text: string | undefined, max: number): number | undefined {
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new InvalidParameter(`--${name} takes a whole number from 1 to ${max}`, { detail: `It was "${text}".` });
}
