import * as kind from './kinds.ts';

/** The settings of where parameters are stored; those of a bucket have the names that Amazon's tools read. */
export const storageTable = {
  params: {
    variable: 'RAFIKI_PARAMS',
    kind: kind.paramsLocation,
    about: 'the store of parameters: postgres, or s3://bucket/prefix',
    default: 'postgres',
  },
  s3Endpoint: {
    variable: 'RAFIKI_S3_ENDPOINT',
    kind: kind.httpUrl,
    about: "the bucket's server",
    otherwise: "Amazon's",
  },
  awsAccessKeyId: {
    variable: 'AWS_ACCESS_KEY_ID',
    kind: kind.text('…'),
    about: 'an access key that may read, write and delete in the bucket',
  },
  awsSecretAccessKey: {
    variable: 'AWS_SECRET_ACCESS_KEY',
    kind: kind.secretText('…'),
    about: "the access key's secret",
  },
  awsSessionToken: {
    variable: 'AWS_SESSION_TOKEN',
    kind: kind.secretText('…'),
    about: "the access key's session token, if it has one",
  },
  awsRegion: {
    variable: 'AWS_REGION',
    kind: kind.text('NAME'),
    about: 'the region of the bucket',
    otherwise: 'the value of AWS_DEFAULT_REGION',
  },
  awsDefaultRegion: {
    variable: 'AWS_DEFAULT_REGION',
    kind: kind.text('NAME'),
    about: 'the same, if AWS_REGION is not set',
    default: 'us-east-1',
  },
} as const;
