import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { SERVICE, urlAs } from '../src/cli/logins.ts';
import { Cluster } from '../src/cli/up/cluster.ts';
import { embeddedPostgres } from '../src/cli/up/embedded-binaries.ts';
import { choosePort } from '../src/cli/up/free-port.ts';
import { postgresIdentity } from '../src/cli/up/unprivileged.ts';
import { Database } from '../src/db/database.ts';
import { EnvironmentUnfit } from '../src/errors/errors.ts';
import { silentLogger } from '../src/runtime/logger.ts';
import type { Figure } from './figure.ts';

const run = promisify(execFile);
const root = path.resolve(import.meta.dirname, '..');
const BASE = 'localhost/rafiki-base';
const BUILD_BASE = 'localhost/rafiki-build-base';
const IMAGE = 'localhost/rafiki:bench';
const PASSWORD = 'of-a-bench';
const MAX_MB = 450;

/** Without a daemon, as root: no cgroups, the machine's network. */
const env = { ...process.env, BUILDAH_ISOLATION: 'chroot' };
const limits = ['--ulimit', 'nofile=20000:20000', '--ulimit', 'nproc=90000:90000'];

async function buildah(...args: string[]): Promise<string> {
  const { stdout } = await run('buildah', args, { cwd: root, env, maxBuffer: 2 ** 26 });
  return stdout.trim();
}

/**
 * Builds the image with buildah, on a base of Debian's packages in place of one from a registry, and lets its processes train and
 * predict with a PostgreSQL beside them.
 */
export async function* imageBench(): AsyncIterable<Figure> {
  for (const tool of ['buildah', 'mmdebstrap']) {
    if (existsSync(`/usr/bin/${tool}`)) continue;
    throw new EnvironmentUnfit(`bench image needs ${tool}`, {
      hint: 'As root: apt-get install buildah mmdebstrap netavark.',
    });
  }
  const folder = mkdtempSync(path.join(tmpdir(), 'rafiki-image-'));
  chmodSync(folder, 0o755);
  try {
    await buildBases(folder);
    const bases = ['--build-arg', `BASE=${BASE}`, '--build-arg', `BUILD_BASE=${BUILD_BASE}`];
    await buildah('bud', ...limits, '--pull-never', '--target', 'rafiki', ...bases, '-t', IMAGE, '.');
    const mb = Math.round((await imageBytes()) / 1e6);
    yield { bench: 'image', name: 'size', value: mb, unit: 'MB', bar: MAX_MB, ok: mb <= MAX_MB };
    yield* trained(folder);
  } finally {
    await buildah('rm', '--all').catch(() => undefined);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** In bytes, as `buildah images` shows it. */
async function imageBytes(): Promise<number> {
  const shown = await buildah('images', '--format', '{{.Size}}', IMAGE);
  const [, number = '0', unit] = /([\d.]+) ?(\w+)/.exec(shown) ?? [];
  return Number(number) * (unit === 'GB' ? 1e9 : 1e6);
}

/** The first is Debian with Node.js; the second has npm, too. */
async function buildBases(folder: string): Promise<void> {
  const tar = path.join(folder, 'base.tar');
  await run('mmdebstrap', ['--variant=minbase', '--include=nodejs,ca-certificates', 'trixie', tar]);
  const base = await buildah('from', 'scratch');
  await buildah('add', '-q', base, tar, '/');
  await buildah('commit', '-q', base, BASE);
  const build = await buildah('from', ...limits, BASE);
  const npm = path.dirname(path.dirname((await run('readlink', ['-f', '/usr/bin/npm'])).stdout.trim()));
  await buildah('copy', '-q', build, npm, '/usr/lib/node_modules/npm');
  await buildah('copy', '-q', build, '/etc/ssl/certs/ca-certificates.crt', '/etc/ssl/certs/ca-certificates.crt');
  await buildah('run', build, '--', 'ln', '-s', '../lib/node_modules/npm/bin/npm-cli.js', '/usr/bin/npm');
  await buildah('commit', '-q', build, BUILD_BASE);
}

async function* trained(folder: string): AsyncIterable<Figure> {
  const identity = postgresIdentity();
  const postgresDir = await embeddedPostgres(identity, folder);
  const port = await choosePort(undefined, 26_000, '--port');
  const cluster = new Cluster({
    postgresDir,
    dataDir: folder,
    port,
    identity,
    initdbArgs: ['--locale=C'],
    settings: {},
  });
  await cluster.start();
  const url = cluster.url('postgres');
  const admin = new Database({ url, application: 'bench image', asUser: true, logger: silentLogger });
  const processes: ChildProcess[] = [];
  try {
    await container(url, ['install']);
    const service = urlAs(url, SERVICE, PASSWORD);
    const bridgePort = await choosePort(undefined, 27_000, '--bridge-port');
    for (const args of [['coordinator'], ['worker'], ['serve', '--bridge-port', String(bridgePort)]])
      processes.push(await started(service, args));
    await admin.query(`
      create table films as select i as id, case when i % 2 = 0 then 'good film ' else 'bad film ' end || i as body,
        case when i % 2 = 0 then 'pos' else 'neg' end as label from generate_series(1, 400) i`);
    await admin.query(`call rafiki_train_wait('sentiment', 'films', max_trials => 2)`);
    const [row] = await admin.query<{ right: number }>(
      `select avg((rafiki_predict('films_sentiment', body) = label)::int)::float8 as right from films`,
    );
    const right = row?.right ?? 0;
    yield { bench: 'image', name: 'predicted', value: right, unit: 'of the labels', bar: 0.95, ok: right >= 0.95 };
  } finally {
    await admin.stop();
    for (const process of processes) process.kill('SIGTERM');
    await cluster.stop();
  }
}

const environment = (url: string): string[] => [
  ...['--env', `DATABASE_URL=${url}`, '--env', `RAFIKI_SERVICE_PASSWORD=${PASSWORD}`],
];

async function container(url: string, args: readonly string[]): Promise<void> {
  const name = await buildah('from', ...limits, IMAGE);
  await buildah('run', ...environment(url), name, '--', 'node', 'dist/cli/main.js', ...args);
}

async function started(url: string, args: readonly string[]): Promise<ChildProcess> {
  const name = await buildah('from', ...limits, IMAGE);
  return spawn('buildah', ['run', ...environment(url), name, '--', 'node', 'dist/cli/main.js', ...args], {
    ...{ env, stdio: 'ignore' },
  });
}
