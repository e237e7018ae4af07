import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { DATA_LIMIT_BYTES } from '../../../src/datasets/data-file-writer.ts';
import { MAX_STORED_TENSOR_BYTES } from '../../../src/domain/tensor.ts';
import { VECTOR_CACHE_BYTES } from '../../../src/encoders/embedded-data.ts';
import { parseBytes } from '../../../src/runtime/byte-size.ts';

const base = path.resolve(import.meta.dirname, '../../../deploy/kubernetes/base');

interface Deployment {
  kind: string;
  spec: {
    template: {
      spec: {
        containers: { env: { name: string; value?: string }[] }[];
        volumes: { name: string; emptyDir: { sizeLimit: string } }[];
      };
    };
  };
}

/** What a process may cache of models, and the size of the volume that its cache is in. */
function sizesOf(name: string): { cacheLimit: number; volume: number } {
  const documents = parseAllDocuments(readFileSync(path.join(base, `${name}.yaml`), 'utf8'));
  const [deployment] = documents.map((each) => each.toJS() as Deployment).filter(({ kind }) => kind === 'Deployment');
  const { containers = [], volumes = [] } = deployment?.spec.template.spec ?? {};
  const limit = containers[0]?.env.find((each) => each.name === 'RAFIKI_CACHE_LIMIT')?.value ?? '';
  const volume = volumes.find((each) => each.name === 'cache')?.emptyDir.sizeLimit ?? '';
  return { cacheLimit: parseBytes(limit) ?? Number.NaN, volume: parseBytes(volume.replace(/i$/, 'B')) ?? Number.NaN };
}

/** With weights in S3: models and parameters; each cache is trimmed after a file that is too much. */
const cachesOf = ({ cacheLimit }: { cacheLimit: number }): number => 2 * (cacheLimit + MAX_STORED_TENSOR_BYTES);

test('the caches of a server fit its volume: a pod that outgrows it is evicted', () => {
  const sizes = sizesOf('serving');
  expect(cachesOf(sizes)).toBeLessThanOrEqual(sizes.volume);
});

test('those of a worker fit with the rows of studies, and those that it is reading', () => {
  const sizes = sizesOf('worker');
  expect(cachesOf(sizes) + VECTOR_CACHE_BYTES + sizes.cacheLimit + DATA_LIMIT_BYTES).toBeLessThanOrEqual(sizes.volume);
});
