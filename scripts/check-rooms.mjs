// Runs dependency-cruiser over src/ and fails when it saw no modules at all: a silent green is worse than a red.
import { cruise } from 'dependency-cruiser';
import extractDepcruiseOptions from 'dependency-cruiser/config-utl/extract-depcruise-options';
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config';

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
console.log(`${seen} modules checked against the import rules`);
process.exit(result.exitCode);
