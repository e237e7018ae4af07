import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';

const folder = process.env['RAFIKI_DATA'] ?? '../shared/data';
const cifarFile = path.join(folder, 'cifar10', 'valid.csv.gz');
const fruitFile = path.join(folder, 'detection', 'fruit', 'valid.jsonl.gz');

export const hasRealImages = existsSync(cifarFile) && existsSync(fruitFile);
if (!hasRealImages) console.log(`${folder} has no images: what needs real ones is skipped`);

/** The first photographs of CIFAR-10's validation part that show one of these, as [label, image as PostgreSQL writes bytea]. */
export function photographs(labels: readonly string[], rows: number): [string, string][] {
  const lines = gunzipSync(readFileSync(cifarFile)).toString().split('\n').slice(1); // id,label,\x…
  return lines
    .map((line): [string, string] => [line.split(',')[1] ?? '', line.split(',')[2] ?? ''])
    .filter(([label]) => labels.includes(label))
    .slice(0, rows);
}

/** The first photographs of fruit, as [boxes as JSON, image as PostgreSQL writes bytea]. */
export function fruit(rows: number): [string, string][] {
  const lines = gunzipSync(readFileSync(fruitFile)).toString().split('\n', rows);
  return lines.map((line): [string, string] => {
    const { boxes, image } = JSON.parse(line) as { boxes: unknown; image: string };
    return [JSON.stringify(boxes), `\\x${Buffer.from(image, 'base64').toString('hex')}`];
  });
}
