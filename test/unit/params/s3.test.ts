import { expect, test } from 'vitest';
import { EnvironmentUnfit } from '../../../src/errors/errors.ts';
import { openBucket } from '../../../src/params/s3.ts';

const options = { bucket: 'bucket', prefix: '', region: 'eu-west-1', accessKeyId: 'id', secretAccessKey: 'secret' };

test.each([
  ['AWS_ACCESS_KEY_ID', 'accessKeyId'],
  ['AWS_SECRET_ACCESS_KEY', 'secretAccessKey'],
])('a bucket needs %s', (name, option) => {
  expect(openBucket(options)).toBeDefined();
  const refused = (): unknown => openBucket({ ...options, [option]: undefined });
  expect(refused).toThrow(EnvironmentUnfit);
  expect(refused).toThrow(`${name} is not set`);
});
