import { isIP } from 'node:net';
import path from 'node:path';
import type { BucketOptions } from '../../params/s3.ts';
import { parseBytes } from '../../runtime/byte-size.ts';
import { parseSyntheticTiming, type SyntheticTiming } from '../../serving/devices/synthetic-device.ts';

/** The type of a setting. */
export interface Kind<T> {
  /** Placeholder of the value in the help; a switch has none. */
  label?: string;
  /** For messages: "--port is not …". */
  description: string;
  /** For hints: "Write …". */
  example: string;
  /** Undefined if the text is invalid; never called with an empty text. */
  parse(text: string): T | undefined;
  /** Never shown, because it may contain a password. */
  isSecret?: true;
  /** Its flag may be given several times; its variable has a line for each. */
  isList?: true;
}

export const text = (label: string): Kind<string> => ({
  label,
  description: 'a text',
  example: 'a text',
  parse: (it) => it,
});

export const secretText = (label: string): Kind<string> => ({ ...text(label), isSecret: true });

/** A file or folder; relative paths start at the current folder. */
export const filePath = (label: string): Kind<string> => ({ ...text(label), parse: (it) => path.resolve(it) });

/** Texts, each on a line. */
export const texts = (label: string): Kind<readonly string[]> => ({
  ...{ label, description: 'a list', example: 'one on each line', isList: true },
  parse: (it) => it.split('\n').filter((line) => line.trim() !== ''),
});

/** Files, each on a line. */
export const filePaths = (label: string): Kind<readonly string[]> => ({
  ...texts(label),
  parse: (it) =>
    texts(label)
      .parse(it)
      ?.map((file) => path.resolve(file)),
});

/** A flag without a value. */
export const aSwitch: Kind<true> = { description: 'a switch', example: 'no value', parse: () => true };

export const wholeNumber = (max: number): Kind<number> => ({
  label: 'N',
  description: `a whole number from 1 to ${max}`,
  example: `a whole number from 1 to ${max}`,
  parse: (it) => (/^\d+$/.test(it) && Number(it) >= 1 && Number(it) <= max ? Number(it) : undefined),
});

export const port = wholeNumber(65_535);

export const share: Kind<number> = {
  label: 'SHARE',
  description: 'a number from 0 to 1',
  example: 'a number from 0 to 1, as in 0.01',
  parse: (it) => (/^(0|1|0?\.\d{1,9})$/.test(it) ? Number(it) : undefined),
};

/** One of a list; `description` names the list. */
export const oneOf = <T extends string>(description: string, names: readonly T[]): Kind<T> => ({
  label: 'NAME',
  description,
  example: `one of ${names.join(', ')}`,
  parse: (it) => names.find((name) => name === it),
});

export const size: Kind<number> = {
  label: 'SIZE',
  description: 'a size',
  example: 'a number and kB, MB, GB or TB, as in 2GB',
  parse: parseBytes,
};

export const postgresUrl: Kind<string> = {
  label: 'URL',
  description: 'the URL of a PostgreSQL database',
  example: 'it as postgres://USER:PASSWORD@HOST:PORT/DATABASE, with %40 for an @ in the password',
  parse: (it) => (URL.canParse(it) && /^postgres(ql)?:\/\//.test(it) ? it : undefined),
  isSecret: true,
};

export const httpUrl: Kind<string> = {
  label: 'URL',
  description: 'the URL of a server',
  example: 'it as https://HOST:PORT',
  parse: (it) => (URL.canParse(it) && /^https?:\/\//.test(it) ? it : undefined),
};

export const origin: Kind<string> = {
  label: 'ORIGIN',
  description: 'an origin',
  example: 'it as https://HOST or https://HOST:PORT, without a path',
  parse: (it) => (URL.canParse(it) && new URL(it).origin === it ? it : undefined),
};

/** Origins of web pages, separated by commas. */
export const origins: Kind<readonly string[]> = {
  label: 'ORIGINS',
  description: 'a list of origins',
  example: 'each as https://HOST or https://HOST:PORT, without a path, and commas in between',
  parse(it) {
    const list = it.split(',').map((each) => each.trim());
    return list.every((each) => origin.parse(each) !== undefined) ? list : undefined;
  },
};

/** Addresses of machines, or of networks in CIDR, separated by commas. */
export const addresses: Kind<readonly string[]> = {
  label: 'ADDRESSES',
  description: 'a list of addresses',
  example: 'IPv4 or IPv6, of machines or networks, with commas in between, as in 10.0.0.0/8,::1',
  parse(it) {
    const list = it.split(',').map((each) => each.trim());
    return list.every(isAddress) ? list : undefined;
  },
};

function isAddress(text: string): boolean {
  const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(address);
  return version !== 0 && Number(bits ?? 0) <= (version === 4 ? 32 : 128);
}

/** The store of parameters: `postgres` or a bucket. */
export const paramsLocation: Kind<'postgres' | Pick<BucketOptions, 'bucket' | 'prefix'>> = {
  label: 'PLACE',
  description: 'a place for parameters',
  example: 'postgres, or s3://bucket/prefix',
  parse(it) {
    if (it === 'postgres') return it;
    const [, bucket, prefix = ''] = /^s3:\/\/([a-z0-9][a-z0-9.-]+[a-z0-9])(?:\/([\w./-]*))?$/.exec(it) ?? [];
    return bucket === undefined ? undefined : { bucket, prefix };
  },
};

export const syntheticTiming: Kind<SyntheticTiming> = {
  label: 'MS+MS',
  description: 'two numbers',
  example: 'milliseconds per batch and per row, as in 2+0.05',
  parse: parseSyntheticTiming,
};
