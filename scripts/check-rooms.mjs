// Runs dependency-cruiser over src/ and fails when it saw no modules at all: a silent green is worse than a red. And holds src/ to what
// can be seen at a glance: files and folders of a size.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { cruise } from 'dependency-cruiser';
import extractDepcruiseOptions from 'dependency-cruiser/config-utl/extract-depcruise-options';
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config';

const MAX_LINES = 250;
const MAX_FILES = 20;
/** Written by a program, and read by name. */
const generated = ['src/client/api.ts'];

const options = await extractDepcruiseOptions('./.dependency-cruiser.cjs');
const result = await cruise(
  ['src'],
  { ...options, outputType: 'err' },
  {},
  { tsConfig: extractTSConfig('./tsconfig.json') },
);
const plain = await cruise(['src'], options, {}, { tsConfig: extractTSConfig('./tsconfig.json') });
const seen = plain.output.summary.totalCruised;
console.log(result.output.trim());
if (!(seen > 0)) {
  console.error('dependency-cruiser saw no modules');
  process.exit(1);
}

const files = readdirSync('src', { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map(({ parentPath, name }) => path.join(parentPath, name));
const linesOf = (file) => readFileSync(file, 'utf8').split('\n').length - 1;
const filesIn = (folder) => files.filter((file) => path.dirname(file) === folder).length;
const tooLarge = [
  ...files
    .filter((file) => linesOf(file) > MAX_LINES && !generated.includes(file))
    .map((file) => `${file} has more than ${MAX_LINES} lines`),
  ...[...new Set(files.map((file) => path.dirname(file)))]
    .filter((folder) => filesIn(folder) > MAX_FILES)
    .map((folder) => `${folder} has more than ${MAX_FILES} files`),
];
for (const fault of tooLarge) console.error(fault);
console.log(`${seen} modules checked against the import rules, ${files.length} files against ${MAX_LINES} lines`);
process.exit(Math.max(result.exitCode, Math.sign(tooLarge.length)));
