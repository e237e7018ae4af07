import { availableParallelism } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { allCommands } from '../../../src/cli/commands/registry.ts';
import { readSettings, withSettings } from '../../../src/cli/settings/read.ts';
import type { SettingKey } from '../../../src/cli/settings/table.ts';
import { InvalidParameter } from '../../../src/errors/errors.ts';
import { policies } from '../../../src/serving/policies/registry.ts';

const commands = await allCommands();

/** One setting, as the command line and the environment have it. */
const read = <N extends SettingKey>(name: N, args: string[], env: Record<string, string> = {}) =>
  readSettings([name], args, { env }).settings[name];

describe('the source of a value', () => {
  test('the flag is before the environment, that before the default', () => {
    expect(read('device', ['--device', 'cuda'], { RAFIKI_DEVICE: 'webgpu' })).toBe('cuda');
    expect(read('device', [], { RAFIKI_DEVICE: 'webgpu' })).toBe('webgpu');
    expect(read('device', [])).toBe('cpu');
    expect(read('workers', [])).toBeUndefined(); // default: the number of cores, which the caller determines
  });

  test('an empty variable is not set; an empty flag, as of a shell variable that is not, is refused', () => {
    expect(read('device', [], { RAFIKI_DEVICE: '' })).toBe('cpu');
    expect(() => read('databaseUrl', ['--database-url', ''])).toThrow(InvalidParameter);
  });

  test('a password is what it is, with its blanks', () => {
    expect(read('servicePassword', [], { RAFIKI_SERVICE_PASSWORD: ' a b ' })).toBe(' a b ');
  });

  test('an invalid variable is ignored if the flag is set', () => {
    expect(read('port', ['--port', '5432'], { RAFIKI_PORT: 'x' })).toBe(5432);
  });

  test('a command reads its own settings only', () => {
    expect(() => readSettings(['log'], [], { env: { RAFIKI_PORT: 'x' } })).not.toThrow();
    expect(() => readSettings(['log'], ['--port', '5432'], { env: {} })).toThrow(/--port/);
  });
});

describe('what processes that are started find in their environment', () => {
  test('a flag stands there, too; the rest is as it was', () => {
    const env = { RAFIKI_THREADS: '1', HOME: '/home/x' };
    const given = readSettings(['threads', 'data'], ['--threads', '2', '--data', '/a.csv'], { env });
    expect(given.environment).toEqual({ RAFIKI_THREADS: '2', HOME: '/home/x' });
    expect(given.settings).toEqual({ threads: 2, data: '/a.csv' });
  });

  test('a setting is changed, or taken out, by its name', () => {
    const changed = withSettings({ RAFIKI_READER_URL: 'x', HOME: '/' }, { bridgePort: '1', readerUrl: undefined });
    expect(changed).toEqual({ RAFIKI_BRIDGE_PORT: '1', RAFIKI_READER_URL: undefined, HOME: '/' });
  });
});

describe('what a value may be', () => {
  test.each<[SettingKey, string, unknown]>([
    ['port', '65535', 65_535],
    ['workers', String(availableParallelism()), availableParallelism()],
    ['modelMemory', '512MB', 2 ** 29],
    ['modelMemory', '1.5 gb', 1.5 * 2 ** 30],
    ['dataDir', 'here', path.resolve('here')],
    ['engine', 'tfjs', 'tfjs'],
    ['policy', 'actor-critic', 'actor-critic'],
    ['databaseUrl', 'postgresql://u:p%40@h:5432/d', 'postgresql://u:p%40@h:5432/d'],
    ['params', 'postgres', 'postgres'],
    ['params', 's3://my.bucket/a/b-c/', { bucket: 'my.bucket', prefix: 'a/b-c/' }],
    ['params', 's3://bucket', { bucket: 'bucket', prefix: '' }],
    ['httpProxies', '10.0.0.0/8, ::1,fd00::/8', ['10.0.0.0/8', '::1', 'fd00::/8']],
    ['syntheticDevice', '2+0.05', { fixedMs: 2, rowMs: 0.05 }],
  ])('%s: %s', (name, text, value) => {
    expect(read(name, [], variable(name, text))).toEqual(value);
  });

  test.each<[SettingKey, string[], string]>([
    ['port', ['0', '65536', '1.5', '1e3', '-1', 'x'], 'Write a whole number from 1 to 65535.'],
    ['workers', ['0', '1025'], 'Write a whole number from 1 to 1024.'],
    ['modelMemory', ['2', '0MB', '-1GB', 'many', '1GiB'], 'Write a number and kB, MB, GB or TB, as in 2GB.'],
    ['device', ['tpu'], 'Write one of cpu, webgpu, cuda.'],
    ['engine', ['torch'], 'Write one of onnx, tfjs.'],
    ['policy', ['best'], `Write one of ${policies.map(({ name }) => name).join(', ')}.`],
    ['log', ['loud'], 'Write one of debug, info, warn, error, silent.'],
    ['params', ['s3://', 's3://UPPER', 'https://b', 's3:/b', 's3://b/a b'], 'Write postgres, or s3://bucket/prefix.'],
    ['s3Endpoint', ['minio:9000', 'here'], 'Write it as https://HOST:PORT.'],
    [
      'httpProxies',
      ['proxy.example.org', '10.0.0.0/33', '::/129', '10.0.0', '10.0.0.1,', '*'],
      'Write IPv4 or IPv6, of machines or networks, with commas in between, as in 10.0.0.0/8,::1.',
    ],
    ['syntheticDevice', ['2', 'a+b'], 'Write milliseconds per batch and per row, as in 2+0.05.'],
  ])('%s: not %s', (name, texts, hint) => {
    for (const text of texts) {
      const refusal = { sqlstate: '22023', detail: `It is "${text}".`, hint };
      expect(() => read(name, [], variable(name, text))).toThrow(expect.objectContaining(refusal));
    }
  });

  test('is reported with both names', () => {
    expect(() => read('bridgePort', ['--bridge-port', 'x'])).toThrow(
      '--bridge-port, or RAFIKI_BRIDGE_PORT, is not a whole number from 1 to 65535',
    );
    expect(() => read('cacheLimit', [], { RAFIKI_CACHE_LIMIT: 'x' })).toThrow('RAFIKI_CACHE_LIMIT is not a size');
    expect(() => read('policy', [], { RAFIKI_POLICY: 'x' })).toThrow('RAFIKI_POLICY is not a policy');
  });

  test.each<SettingKey>(['databaseUrl', 'readerUrl'])(
    '%s is not shown where it is bad: a password may be in it',
    (name) => {
      const text = 'mysql://me:sesame@host/db';
      const refused = (): unknown => read(name, [], variable(name, text));
      expect(refused).toThrow(expect.objectContaining({ hint: expect.stringContaining('%40') }));
      try {
        refused();
      } catch (error) {
        const { message, detail, hint } = error as InvalidParameter;
        expect(`${message} ${detail} ${hint}`).not.toContain('sesame');
      }
    },
  );
});

test('a command refuses a flag that it does not read', async () => {
  await expect(async () => commands['version']?.run(['--workers', '2'])).rejects.toThrow(/--workers/);
});

/** The environment in which that setting has that text. */
function variable(name: SettingKey, text: string): Record<string, string> {
  const before: NodeJS.ProcessEnv = withSettings({}, { [name]: text });
  return before as Record<string, string>;
}
