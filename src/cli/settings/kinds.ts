import path from 'node:path';
import type { BucketOptions } from '../../params/s3.ts';
import { parseBytes } from '../../runtime/byte-size.ts';
import { parseSyntheticTiming, type SyntheticTiming } from '../../serving/devices/synthetic-device.ts';

/** What a setting may be. */
export interface Kind<T> {
  /** What stands for a value in the help; a switch has none. */
  label?: string;
  /** As in "--port is not …". */
  what: string;
  /** As in "Write …". */
  write: string;
  /** Undefined for what it may not be; never called with the empty text. */
  parse(text: string): T | undefined;
  /** Never shown: a password may be in it. */
  isSecret?: true;
}

export const text = (label: string): Kind<string> => ({ label, what: 'a text', write: 'a text', parse: (it) => it });

export const secretText = (label: string): Kind<string> => ({ ...text(label), isSecret: true });

/** Of a file or a folder; from the current one, where it is not absolute. */
export const place = (label: string): Kind<string> => ({ ...text(label), parse: (it) => path.resolve(it) });

/** A flag without a value: it is there or not. */
export const aSwitch: Kind<true> = { what: 'a switch', write: 'no value', parse: () => true };

export const wholeNumber = (max: number): Kind<number> => ({
  label: 'N',
  what: `a whole number from 1 to ${max}`,
  write: `a whole number from 1 to ${max}`,
  parse: (it) => (/^\d+$/.test(it) && Number(it) >= 1 && Number(it) <= max ? Number(it) : undefined),
});

export const port = wholeNumber(65_535);

/** One of a list; `what` it is of. */
export const oneOf = <T extends string>(what: string, names: readonly T[]): Kind<T> => ({
  label: 'NAME',
  what,
  write: `one of ${names.join(', ')}`,
  parse: (it) => names.find((name) => name === it),
});

export const size: Kind<number> = {
  label: 'SIZE',
  what: 'a size',
  write: 'a number and kB, MB, GB or TB, as in 2GB',
  parse: parseBytes,
};

export const postgresUrl: Kind<string> = {
  label: 'URL',
  what: 'the URL of a PostgreSQL database',
  write: 'it as postgres://USER:PASSWORD@HOST:PORT/DATABASE, with %40 for an @ in the password',
  parse: (it) => (URL.canParse(it) && /^postgres(ql)?:\/\//.test(it) ? it : undefined),
  isSecret: true,
};

export const httpUrl: Kind<string> = {
  label: 'URL',
  what: 'the URL of a server',
  write: 'it as https://HOST:PORT',
  parse: (it) => (URL.canParse(it) && /^https?:\/\//.test(it) ? it : undefined),
};

/** Where parameters are kept: `postgres`, or a bucket. */
export const paramsPlace: Kind<'postgres' | Pick<BucketOptions, 'bucket' | 'prefix'>> = {
  label: 'PLACE',
  what: 'a place for parameters',
  write: 'postgres, or s3://bucket/prefix',
  parse(it) {
    if (it === 'postgres') return it;
    const [, bucket, prefix = ''] = /^s3:\/\/([a-z0-9][a-z0-9.-]+[a-z0-9])(?:\/([\w./-]*))?$/.exec(it) ?? [];
    return bucket === undefined ? undefined : { bucket, prefix };
  },
};

export const syntheticTiming: Kind<SyntheticTiming> = {
  label: 'MS+MS',
  what: 'two numbers',
  write: 'milliseconds per batch and per row, as in 2+0.05',
  parse: parseSyntheticTiming,
};
