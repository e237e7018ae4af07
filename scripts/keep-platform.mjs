// For an image: removes ONNX Runtime's libraries for other platforms than this one, two thirds of all packages' size.
import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../node_modules/onnxruntime-node/bin');
for (const abi of readdirSync(root)) {
  for (const platform of readdirSync(path.join(root, abi))) {
    const folder = path.join(root, abi, platform);
    if (platform !== process.platform) rmSync(folder, { recursive: true });
    else
      for (const arch of readdirSync(folder))
        if (arch !== process.arch) rmSync(path.join(folder, arch), { recursive: true });
  }
}
