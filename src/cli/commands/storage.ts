import type { StorageOptions } from '../../params/create-param-store.ts';
import type { SettingValues } from '../settings/read.ts';

export const bucketSettings = [
  'cacheLimit',
  'params',
  's3Endpoint',
  'awsAccessKeyId',
  'awsSecretAccessKey',
  'awsSessionToken',
  'awsRegion',
  'awsDefaultRegion',
] as const;

export const storageSettings = ['cacheDir', ...bucketSettings] as const;

export function storageOf(settings: SettingValues<(typeof storageSettings)[number]>): StorageOptions {
  const { params, cacheDir, cacheLimit: cacheLimitBytes } = settings;
  if (params === 'postgres') return { cacheDir, cacheLimitBytes };
  const bucket = {
    ...params,
    endpoint: settings.s3Endpoint,
    region: settings.awsRegion ?? settings.awsDefaultRegion,
    accessKeyId: settings.awsAccessKeyId,
    secretAccessKey: settings.awsSecretAccessKey,
    sessionToken: settings.awsSessionToken,
  };
  return { bucket, cacheDir, cacheLimitBytes };
}
