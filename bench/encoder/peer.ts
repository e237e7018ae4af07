import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PretrainedParts } from '../../src/domain/training.ts';
import { PythonProcess } from '../python-process.ts';
import { type SeededRows, vectorsOf } from './trials.ts';

/** The accuracy of scikit-learn's linear SVM on the same vectors, its C chosen by three folds; null if it is not on this machine. */
export async function peerScore({ rows, test }: SeededRows, pretrained: PretrainedParts): Promise<number | null> {
  const python = await PythonProcess.start(fileURLToPath(new URL('./peer.py', import.meta.url)));
  if (python === null) return null;
  const dir = mkdtempSync(path.join(tmpdir(), 'rafiki-bench-'));
  try {
    for (const [part, { inputs, labels }] of Object.entries({ rows, test })) {
      writeFileSync(path.join(dir, `${part}-vectors`), await vectorsOf(inputs, pretrained));
      writeFileSync(path.join(dir, `${part}-labels`), labels as Int32Array);
    }
    return Number(await python.ask(dir));
  } finally {
    python.stop();
    rmSync(dir, { recursive: true });
  }
}
