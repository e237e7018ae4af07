/** Values of a Parquet file as texts with all their digits: the reader's own are doubles, and dates of whole milliseconds. */
import type { FileMetaData, ParquetParsers, SchemaElement, SchemaTree, TimeUnit } from 'hyparquet';

const UNIT_DIGITS: Readonly<Record<TimeUnit, number>> = { MILLIS: 3, MICROS: 6, NANOS: 9 };
const SECONDS_OF_DAY = 86_400n;
/** Days around 1970 that a Date has. */
const MAX_DAYS = 1e8;
/** Of a decimal: 256 bits are the longest that are usual. Postgres has 16,383 digits after the point. */
const MAX_DECIMAL_BYTES = 1000;
const MAX_SCALE = 16_383;
/** So many digits are the same again as a double. */
const DOUBLE_DIGITS = 15;

/** In place of the reader's own, which cut what is shorter than a millisecond. */
export const textParsers: Partial<ParquetParsers> = {
  timestampFromMilliseconds: (value) => timestampText(BigInt(value), 'MILLIS'),
  timestampFromMicroseconds: (value) => timestampText(BigInt(value), 'MICROS'),
  timestampFromNanoseconds: (value) => timestampText(BigInt(value), 'NANOS'),
  dateFromDays: (days) => inEra(dateOf(days)),
};

/** How a value of a column becomes a text, if not as the reader gives it. */
export function columnText(element: SchemaElement): ((value: unknown) => string) | undefined {
  const decimal = decimalOf(element);
  if (decimal !== undefined) return (value) => decimalText(value, decimal.scale);
  if (kindOf(element) === 'JSON') return (value) => Buffer.from(value as Uint8Array).toString('utf8');
  const unit = timeUnit(element);
  return unit === undefined ? undefined : (value) => timeText(BigInt(value as number | bigint), unit);
}

/** Of a time of the day. */
export function timeUnit({ logical_type: logical, converted_type: converted }: SchemaElement): TimeUnit | undefined {
  if (logical?.type === 'TIME') return logical.unit;
  return converted === 'TIME_MILLIS' ? 'MILLIS' : converted === 'TIME_MICROS' ? 'MICROS' : undefined;
}

/**
 * The metadata by which the reader leaves decimals and JSON of columns as they are in the file. Those within lists and objects become its own values:
 * throws if decimals would be other ones.
 */
export function asWritten(metadata: FileMetaData, root: SchemaTree): FileMetaData {
  const columns = new Set(root.children.filter(isPlain).map(({ element }) => element));
  return { ...metadata, schema: metadata.schema.map((element) => convertedAs(element, columns.has(element))) };
}

/** Whether a column has one value in each row. */
export const isPlain = ({ element, children }: SchemaTree): boolean =>
  children.length === 0 && element.repetition_type !== 'REPEATED';

/** The reader knows these by their older names only. */
function convertedAs(element: SchemaElement, isColumn: boolean): SchemaElement {
  const { converted_type: _, ...unconverted } = element;
  const kind = kindOf(element);
  const decimal = decimalOf(element);
  if (isColumn && (decimal !== undefined || kind === 'JSON')) return unconverted;
  if (kind === 'DATE' || kind === 'JSON') return { ...element, converted_type: kind };
  if (decimal === undefined) return element;
  if (decimal.precision === undefined || decimal.precision > DOUBLE_DIGITS) {
    throw new Error(`"${element.name}" has decimals of ${decimal.precision} digits within lists or objects`);
  }
  return { ...element, converted_type: 'DECIMAL', scale: decimal.scale };
}

const kindOf = ({ logical_type: logical, converted_type: converted }: SchemaElement): string | undefined =>
  logical?.type ?? converted;

function decimalOf(element: SchemaElement): { scale: number; precision: number | undefined } | undefined {
  const { logical_type: logical, converted_type: converted, scale = 0, precision } = element;
  if (logical?.type === 'DECIMAL') return { scale: logical.scale ?? scale, precision: logical.precision };
  return converted === 'DECIMAL' ? { scale, precision } : undefined;
}

function decimalText(value: unknown, scale: number): string {
  if (!(scale >= 0 && scale <= MAX_SCALE)) throw new Error(`a decimal has ${scale} digits after the point`);
  const unscaled = value instanceof Uint8Array ? bigEndian(value) : BigInt(value as number | bigint);
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0');
  const point = digits.length - scale;
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, point)}${scale === 0 ? '' : `.${digits.slice(point)}`}`;
}

/** Two's complement. */
function bigEndian(bytes: Uint8Array): bigint {
  if (bytes.length > MAX_DECIMAL_BYTES) throw new Error(`a decimal has ${bytes.length} bytes`);
  return bytes.length === 0 ? 0n : BigInt.asIntN(8 * bytes.length, BigInt(`0x${Buffer.from(bytes).toString('hex')}`));
}

function timestampText(value: bigint, unit: TimeUnit): string {
  const day = SECONDS_OF_DAY * 10n ** BigInt(UNIT_DIGITS[unit]);
  const ofDay = ((value % day) + day) % day;
  const { date, era } = dateOf(Number((value - ofDay) / day));
  return inEra({ date: `${date}T${timeText(ofDay, unit)}Z`, era });
}

/** hh:mm:ss, and what of a second there is. */
function timeText(value: bigint, unit: TimeUnit): string {
  const perSecond = 10n ** BigInt(UNIT_DIGITS[unit]);
  const seconds = value / perSecond;
  if (value < 0n || seconds > SECONDS_OF_DAY) throw new Error('a time is not within a day');
  const parts = [seconds / 3600n, (seconds / 60n) % 60n, seconds % 60n].map((part) => String(part).padStart(2, '0'));
  const rest = String(value % perSecond).padStart(UNIT_DIGITS[unit], '0');
  return `${parts.join(':')}${/[1-9]/.test(rest) ? `.${rest.replace(/0+$/, '')}` : ''}`;
}

interface DateInEra {
  date: string;
  era: '' | ' BC';
}

/** As Postgres reads years, of which there is no 0. */
function dateOf(days: number): DateInEra {
  if (!(Math.abs(days) <= MAX_DAYS)) throw new Error('a date is out of range');
  const at = new Date(days * 86_400_000);
  const year = at.getUTCFullYear();
  const [shown, era] = year > 0 ? ([year, ''] as const) : ([1 - year, ' BC'] as const);
  return { date: `${String(shown).padStart(4, '0')}-${at.toISOString().slice(-19, -14)}`, era };
}

const inEra = ({ date, era }: DateInEra): string => `${date}${era}`;
