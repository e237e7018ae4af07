import { describe, expect, test } from 'vitest';
import { EnvironmentUnfit, InvalidParameter } from '../../../src/errors/errors.ts';
import { bucketOf } from '../../../src/params/s3.ts';

const credentials = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' };

describe('RAFIKI_PARAMS', () => {
  test.each([undefined, '', 'postgres'])('%s keeps parameters in Postgres', (place) => {
    expect(bucketOf({ RAFIKI_PARAMS: place })).toBeUndefined();
  });

  test.each(['s3://bucket', 's3://bucket/', 's3://my.bucket/a/b-c/'])('%s names a bucket', (place) => {
    expect(bucketOf({ RAFIKI_PARAMS: place, ...credentials })).toBeDefined();
  });

  test.each(['s3://', 's3://UPPER', 'https://bucket', 's3:/bucket', 's3://bucket/a b'])('%s is refused', (place) => {
    expect(() => bucketOf({ RAFIKI_PARAMS: place, ...credentials })).toThrow(InvalidParameter);
  });

  test.each(['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'])('needs %s', (name) => {
    const env = { RAFIKI_PARAMS: 's3://bucket', ...credentials, [name]: undefined };
    expect(() => bucketOf(env)).toThrow(EnvironmentUnfit);
  });
});
