import { DATA_LIMIT_BYTES } from '../../datasets/data-file-writer.ts';
import { engineNames } from '../../engine/computing.ts';
import { deviceNames } from '../../engine/device-name.ts';
import { CACHE_LIMIT_BYTES } from '../../runtime/cache-dir.ts';
import { logLevels } from '../../runtime/logger.ts';
import { DEFAULT_POLICY, policies } from '../../serving/policies/registry.ts';
import { BRIDGE_PORT, POSTGRES_PORT } from '../up/free-port.ts';
import type { Kind } from './kinds.ts';
import * as kind from './kinds.ts';

/** What can be set, by a flag or in the environment. Nothing else of src/ reads that, but for the failpoints of tests. */
export interface SettingSpec {
  flag?: string;
  variable?: string;
  kind: Kind<unknown>;
  about: string;
  /** What holds where it is not given, as one would write it. */
  default?: string;
  /** The same in words, where whoever asks for the value gets none. */
  otherwise?: string;
  /** Not for users: the help leaves it out. */
  isHidden?: true;
}

const gigabytes = (bytes: number): string => `${bytes / 2 ** 30}GB`;

export const table = {
  databaseUrl: {
    flag: 'database-url',
    variable: 'DATABASE_URL',
    kind: kind.postgresUrl,
    about: 'the database; its password may stand in a PGPASSFILE instead',
    otherwise: 'up runs its own PostgreSQL 18',
  },
  dataDir: {
    flag: 'data-dir',
    variable: 'RAFIKI_DATA_DIR',
    kind: kind.place('DIR'),
    about: 'where up keeps its database, cache and logs, and demo its own in the folder demo of it',
    otherwise: '~/.local/share/rafiki, or as root /var/lib/rafiki',
  },
  port: {
    flag: 'port',
    variable: 'RAFIKI_PORT',
    kind: kind.port,
    about: "where up's PostgreSQL listens",
    otherwise: `${POSTGRES_PORT}, or another that is free`,
  },
  bridgeHost: {
    flag: 'bridge-host',
    variable: 'RAFIKI_BRIDGE_HOST',
    kind: kind.text('HOST'),
    about: 'the address that serving listens on',
    otherwise: 'where Postgres reaches this machine',
  },
  bridgePort: {
    flag: 'bridge-port',
    variable: 'RAFIKI_BRIDGE_PORT',
    kind: kind.port,
    about: 'the port that serving listens on',
    otherwise: `${BRIDGE_PORT}; of up: or another that is free`,
  },
  workers: {
    flag: 'workers',
    variable: 'RAFIKI_WORKERS',
    kind: kind.wholeNumber(1_024),
    about: 'worker processes of up',
    otherwise: 'one per core',
  },
  threads: {
    flag: 'threads',
    variable: 'RAFIKI_THREADS',
    kind: kind.wholeNumber(1_024),
    about: 'threads of each trial',
    otherwise: "the cores, divided among this machine's workers",
  },
  device: {
    flag: 'device',
    variable: 'RAFIKI_DEVICE',
    kind: kind.oneOf('a device', deviceNames),
    about: `where models are trained and answer: ${deviceNames.join(', ')}`,
    default: 'cpu',
  },
  data: { flag: 'data', kind: kind.place('FILE'), about: 'for demo: a CSV file with the columns label and text' },
  json: {
    flag: 'json',
    kind: kind.aSwitch,
    about: 'prints a line of JSON: up when it is ready, bench for each figure',
  },
  engine: {
    variable: 'RAFIKI_ENGINE',
    kind: kind.oneOf('an engine', engineNames),
    about: `what trains: ${engineNames.join(', ')} (which needs @tensorflow/tfjs-node-gpu)`,
    default: 'onnx',
  },
  policy: {
    variable: 'RAFIKI_POLICY',
    kind: kind.oneOf(
      'a scheduler',
      policies.map(({ name }) => name),
    ),
    about: `the scheduler of predictions: ${policies.map(({ name }) => name).join(', ')}`,
    default: DEFAULT_POLICY,
  },
  modelMemory: {
    variable: 'RAFIKI_MODEL_MEMORY',
    kind: kind.size,
    about: 'bounds the models that a server keeps loaded',
    otherwise: 'a quarter of the memory',
  },
  dataLimit: {
    variable: 'RAFIKI_DATA_LIMIT',
    kind: kind.size,
    about: 'bounds the rows that a study reads',
    default: gigabytes(DATA_LIMIT_BYTES),
  },
  cacheDir: {
    variable: 'RAFIKI_CACHE_DIR',
    kind: kind.place('DIR'),
    about: 'where rows and models are kept, for this user alone',
    otherwise: 'a folder of the user among the temporary files; of up: in its data folder',
  },
  cacheLimit: {
    variable: 'RAFIKI_CACHE_LIMIT',
    kind: kind.size,
    about: 'bounds the models in that folder, and parameters from S3 by as much again',
    default: gigabytes(CACHE_LIMIT_BYTES),
  },
  servicePassword: {
    variable: 'RAFIKI_SERVICE_PASSWORD',
    kind: kind.secretText('…'),
    about: 'for install: the password of rafiki_service and rafiki_reader',
  },
  servicePasswordFile: {
    variable: 'RAFIKI_SERVICE_PASSWORD_FILE',
    kind: kind.place('FILE'),
    about: 'a file whose first line is that password',
  },
  readerUrl: {
    variable: 'RAFIKI_READER_URL',
    kind: kind.postgresUrl,
    about: 'the database as rafiki_reader reaches it',
    otherwise: 'as rafiki_service does, with its password',
  },
  params: {
    variable: 'RAFIKI_PARAMS',
    kind: kind.paramsPlace,
    about: 'where the bytes of parameters are kept: postgres, or s3://bucket/prefix',
    default: 'postgres',
  },
  s3Endpoint: {
    variable: 'RAFIKI_S3_ENDPOINT',
    kind: kind.httpUrl,
    about: 'the server with that bucket',
    otherwise: "Amazon's",
  },
  awsAccessKeyId: {
    variable: 'AWS_ACCESS_KEY_ID',
    kind: kind.text('…'),
    about: 'who may read, write and delete in it',
  },
  awsSecretAccessKey: {
    variable: 'AWS_SECRET_ACCESS_KEY',
    kind: kind.secretText('…'),
    about: 'the secret of that key',
  },
  awsSessionToken: {
    variable: 'AWS_SESSION_TOKEN',
    kind: kind.secretText('…'),
    about: 'its token, where it has one',
  },
  awsRegion: {
    variable: 'AWS_REGION',
    kind: kind.text('NAME'),
    about: 'the region of the bucket',
    otherwise: 'what AWS_DEFAULT_REGION says',
  },
  awsDefaultRegion: {
    variable: 'AWS_DEFAULT_REGION',
    kind: kind.text('NAME'),
    about: 'the same, where AWS_REGION is not set',
    default: 'us-east-1',
  },
  log: {
    variable: 'RAFIKI_LOG',
    kind: kind.oneOf('a level', logLevels),
    about: `what is logged: ${logLevels.join(', ')}`,
    otherwise: 'info; of up itself: warn',
  },
  xdgDataHome: {
    variable: 'XDG_DATA_HOME',
    kind: kind.place('DIR'),
    about: 'what stands for ~/.local/share in the default of --data-dir',
  },
  bridgeSocketDir: {
    variable: 'RAFIKI_BRIDGE_SOCKET_DIR',
    kind: kind.place('DIR'),
    about: 'serving listens on a Unix socket there, too: up says so where Postgres is on this machine',
    isHidden: true,
  },
  syntheticDevice: {
    variable: 'RAFIKI_SYNTHETIC_DEVICE',
    kind: kind.syntheticTiming,
    about: 'for measuring only: the least that a batch takes',
    isHidden: true,
  },
} as const satisfies Record<string, SettingSpec>;

export type SettingKey = keyof typeof table;
