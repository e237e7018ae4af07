import { readFileSync } from 'node:fs';
import { checkImage, decodeImages, decodeWhole } from '../../src/features/images.ts';

// A process of its own, since the most that a process ever took is never forgotten. argv: how to decode, and files,
// concurrently. Prints the growth of its peak memory in bytes, and the refused images.

const decoders: Record<string, (file: Uint8Array) => Promise<unknown>> = {
  check: checkImage,
  cover: (file) => decodeImages([file], 224),
  whole: (file) => decodeWhole(file, 640, 'fill'),
};

const maxBytes = (): number =>
  1024 * Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? Number.NaN);

const [how, ...names] = process.argv.slice(2);
const decode = decoders[how ?? ''] ?? checkImage;
const files = names.map((name) => readFileSync(name));
const before = maxBytes();
const done = await Promise.allSettled(files.map(decode));
const refused = done.flatMap((each) => (each.status === 'rejected' ? [String(each.reason.detail)] : []));
process.stdout.write(JSON.stringify({ bytes: maxBytes() - before, refused }));
