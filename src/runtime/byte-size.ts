import { InvalidParameter } from '../errors/errors.ts';

const UNITS: Record<string, number> = { kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30, tb: 2 ** 40 };

/** "2GB" → bytes; `name` is the setting that it stands in. */
export function parseBytes(text: string, name: string): number {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)\s*([kmgt]b)$/i.exec(text.trim()) ?? [];
  const bytes = Number(amount) * (UNITS[unit.toLowerCase()] ?? Number.NaN);
  if (bytes > 0) return bytes;
  throw new InvalidParameter(`${name} is not a size`, {
    detail: `It is "${text}".`,
    hint: `Write a number and kB, MB, GB or TB: ${name}=2GB.`,
  });
}

export const sizeText = (bytes: number): string => `${Number((bytes / 2 ** 20).toPrecision(3))} MB`;
