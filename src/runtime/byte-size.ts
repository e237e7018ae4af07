const UNITS: Record<string, number> = { kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30, tb: 2 ** 40 };

/** "2GB" → bytes; undefined unless the text is a size above 0. */
export function parseBytes(text: string): number | undefined {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)\s*([kmgt]b)$/i.exec(text.trim()) ?? [];
  const bytes = Number(amount) * (UNITS[unit.toLowerCase()] ?? Number.NaN);
  return bytes > 0 ? bytes : undefined;
}

export const sizeText = (bytes: number): string => `${Number((bytes / 2 ** 20).toPrecision(3))} MB`;
