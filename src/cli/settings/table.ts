import { defaultLimits } from '../../bridge/limits.ts';
import { DATA_LIMIT_BYTES } from '../../datasets/data-file-writer.ts';
import { engineNames } from '../../engine/computing.ts';
import { deviceNames } from '../../engine/device-name.ts';
import { CACHE_LIMIT_BYTES } from '../../runtime/disk/cache-dir.ts';
import { logLevels } from '../../runtime/logger.ts';
import { DEFAULT_POLICY, policies } from '../../serving/policies/registry.ts';
import { BRIDGE_PORT, POSTGRES_PORT } from '../up/free-port.ts';
import { encoderTable } from './encoder-table.ts';
import { familyTable } from './family-table.ts';
import { httpTable } from './http-table.ts';
import type { Kind } from './kinds.ts';
import * as kind from './kinds.ts';
import { metricsTable } from './metrics-table.ts';
import { storageTable } from './storage-table.ts';

/**
 * A setting, by flag or environment variable. All environment variables that src/ reads are in this table, except for
 * failpoints of tests.
 */
export interface SettingSpec {
  flag?: string;
  variable?: string;
  kind: Kind<unknown>;
  about: string;
  /** The default value, as a user would write it. */
  default?: string;
  /** The default in words, if it is determined elsewhere. */
  otherwise?: string;
  /** Not shown in the help. */
  isHidden?: true;
}

const gigabytes = (bytes: number): string => `${bytes / 2 ** 30}GB`;

export const settingsTable = {
  databaseUrl: {
    flag: 'database-url',
    variable: 'DATABASE_URL',
    kind: kind.postgresUrl,
    about: 'the database; its password may be in a PGPASSFILE instead',
    otherwise: 'up runs its own PostgreSQL 18',
  },
  dataDir: {
    flag: 'data-dir',
    variable: 'RAFIKI_DATA_DIR',
    kind: kind.filePath('DIR'),
    about: 'the folder of database, cache and logs; demo uses its subfolder demo',
    otherwise: '~/.local/share/rafiki, or as root /var/lib/rafiki',
  },
  port: {
    flag: 'port',
    variable: 'RAFIKI_PORT',
    kind: kind.port,
    about: "the port of up's PostgreSQL",
    otherwise: `${POSTGRES_PORT}, or any free port`,
  },
  bridgeHost: {
    flag: 'bridge-host',
    variable: 'RAFIKI_BRIDGE_HOST',
    kind: kind.text('HOST'),
    about: 'the address that serving listens on',
    otherwise: 'the one from which Postgres reaches this machine',
  },
  bridgePort: {
    flag: 'bridge-port',
    variable: 'RAFIKI_BRIDGE_PORT',
    kind: kind.port,
    about: 'the port that serving listens on',
    otherwise: `${BRIDGE_PORT}; for up: or any free port`,
  },
  bridgeSessions: {
    flag: 'bridge-sessions',
    variable: 'RAFIKI_BRIDGE_SESSIONS',
    kind: kind.wholeNumber(100_000),
    about:
      'maximum of database sessions that are connected to a prediction server: each that predicts is, until it ends',
    default: String(defaultLimits.sessions),
  },
  ...httpTable,
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
  ...metricsTable,
  device: {
    flag: 'device',
    variable: 'RAFIKI_DEVICE',
    kind: kind.oneOf('a device', deviceNames),
    about: `the device for training and predictions: ${deviceNames.join(', ')}`,
    default: 'cpu',
  },
  ...familyTable,
  data: { flag: 'data', kind: kind.filePath('FILE'), about: 'for demo: a CSV file with the columns label and text' },
  ...encoderTable,
  target: {
    flag: 'target',
    kind: kind.text('COLUMN'),
    about: 'for train: the column that the model learns',
    default: 'label',
  },
  task: {
    flag: 'task',
    kind: kind.text('NAME'),
    about: 'for train and import: the task, as in the table rafiki.task',
    otherwise: 'for train: by the columns of the file',
  },
  table: {
    flag: 'table',
    kind: kind.text('NAME'),
    about: 'for train: the table that the file becomes',
    otherwise: "the file's name",
  },
  minutes: {
    flag: 'minutes',
    kind: kind.wholeNumber(10_000),
    about: 'for train: the time at most',
    otherwise: '16 trials, or 200 of a table, in 10 minutes',
  },
  column: {
    flag: 'column',
    kind: kind.text('NAME'),
    about: 'for predict: the column with the texts',
    otherwise: 'the only one with sentences',
  },
  json: {
    flag: 'json',
    kind: kind.aSwitch,
    about: 'prints a line of JSON: up when it is ready, bench for each figure',
  },
  engine: {
    variable: 'RAFIKI_ENGINE',
    kind: kind.oneOf('an engine', engineNames),
    about: `the training engine: ${engineNames.join(', ')} (which needs @tensorflow/tfjs-node-gpu)`,
    default: 'onnx',
  },
  policy: {
    variable: 'RAFIKI_POLICY',
    kind: kind.oneOf(
      'a policy',
      policies.map(({ name }) => name),
    ),
    about: `the scheduling policy of predictions: ${policies.map(({ name }) => name).join(', ')}`,
    default: DEFAULT_POLICY,
  },
  modelMemory: {
    variable: 'RAFIKI_MODEL_MEMORY',
    kind: kind.size,
    about: "maximum memory of a server's loaded models",
    otherwise: 'a quarter of the memory',
  },
  importMemory: {
    variable: 'RAFIKI_IMPORT_MEMORY',
    kind: kind.size,
    about: 'maximum memory of a process that checks or runs imported models; a server has one for each of their owners',
    otherwise: '2GB, or a quarter of the memory',
  },
  dataLimit: {
    variable: 'RAFIKI_DATA_LIMIT',
    kind: kind.size,
    about: "maximum size of a study's rows",
    default: gigabytes(DATA_LIMIT_BYTES),
  },
  cacheDir: {
    variable: 'RAFIKI_CACHE_DIR',
    kind: kind.filePath('DIR'),
    about: 'the cache folder of rows and models, private to this user',
    otherwise: "the user's folder in the temporary folder; for up: in its data folder",
  },
  cacheLimit: {
    variable: 'RAFIKI_CACHE_LIMIT',
    kind: kind.size,
    about:
      'maximum size of the models in that folder; rows of studies, and parameters from S3, may each take as much again',
    default: gigabytes(CACHE_LIMIT_BYTES),
  },
  servicePassword: {
    variable: 'RAFIKI_SERVICE_PASSWORD',
    kind: kind.secretText('…'),
    about: 'for install: the password of rafiki_service and rafiki_reader',
  },
  servicePasswordFile: {
    variable: 'RAFIKI_SERVICE_PASSWORD_FILE',
    kind: kind.filePath('FILE'),
    about: 'a file whose first line is that password',
  },
  readerUrl: {
    variable: 'RAFIKI_READER_URL',
    kind: kind.postgresUrl,
    about: "rafiki_reader's URL of the database",
    otherwise: "rafiki_service's URL with the other role",
  },
  ...storageTable,
  log: {
    variable: 'RAFIKI_LOG',
    kind: kind.oneOf('a level', logLevels),
    about: `the log level: ${logLevels.join(', ')}`,
    otherwise: 'info; of up itself: warn',
  },
  xdgDataHome: {
    variable: 'XDG_DATA_HOME',
    kind: kind.filePath('DIR'),
    about: 'replaces ~/.local/share in the default of --data-dir',
  },
  bridgeSocketDir: {
    variable: 'RAFIKI_BRIDGE_SOCKET_DIR',
    kind: kind.filePath('DIR'),
    about: 'the folder of an additional Unix socket of serving; up sets it if Postgres is on this machine',
    isHidden: true,
  },
  syntheticDevice: {
    variable: 'RAFIKI_SYNTHETIC_DEVICE',
    kind: kind.syntheticTiming,
    about: 'for measurements only: the minimum time of a batch',
    isHidden: true,
  },
} as const satisfies Record<string, SettingSpec>;

export type SettingKey = keyof typeof settingsTable;
