// Fetches ONNX Runtime's CUDA libraries (400 MB, from NuGet) with its own installer: `npm ci` leaves them out on purpose.
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const installer = path.join(root, 'node_modules/onnxruntime-node/script/install.js');
execFileSync(process.execPath, [installer], {
  cwd: path.dirname(installer),
  env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'cuda12' },
  stdio: 'inherit',
});
console.log('RAFIKI_DEVICE=cuda uses it: CUDA 12 and cuDNN 9 must be on the library path.');
