import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { chooseEngine } from '../../../src/engine/choice.ts';
import { computeWith, computing } from '../../../src/engine/computing.ts';
import { checkDevice } from '../../../src/engine/device.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';

describe('the device', () => {
  it('is the CPU unless another one is set', () => {
    expect(computing()).toMatchObject({ device: 'cpu', engine: 'onnx' });
    computeWith({ device: 'webgpu' });
    expect(computing()).toMatchObject({ device: 'webgpu', engine: 'onnx' });
    computeWith({ device: 'cpu' });
  });

  it('raises an error with the missing library if it does not load', async () => {
    const loads = await checkDevice('cuda').then(
      () => true,
      () => false,
    );
    if (loads) return console.log('CUDA is on this machine: its absence is not tested');
    await expect(checkDevice('cuda')).rejects.toMatchObject({
      sqlstate: '58000',
      detail: expect.stringContaining('Failed to load shared library'),
      hint: expect.stringContaining('npm run setup:cuda'),
    });
  });
});

describe('the engine', () => {
  it('is ONNX Runtime on the device', async () => {
    const engine = await chooseEngine({ engine: 'onnx', device: 'webgpu', logger: silentLogger });
    expect(engine.name).toBe('onnxruntime on webgpu');
  });

  it('falls back to ONNX Runtime, with a logged reason, if TensorFlow.js does not load', async () => {
    const lines: string[] = [];
    const logger = pino({}, { write: (line) => lines.push(line) });
    const engine = await chooseEngine({ engine: 'tfjs', device: 'cpu', logger });
    expect(engine.name).toBe('onnxruntime on cpu');
    expect(lines).toEqual([expect.stringContaining('"reason":"Cannot find module')]);
  });
});
