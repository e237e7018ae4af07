import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { chooseEngine, parseEngine } from '../../../src/engine/choice.ts';
import { checkDevice } from '../../../src/engine/device.ts';
import { parseDevice } from '../../../src/engine/device-name.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';

describe('the device', () => {
  it('is the CPU where none is named', () => {
    expect([parseDevice(undefined), parseDevice(''), parseDevice('webgpu')]).toEqual(['cpu', 'cpu', 'webgpu']);
  });

  it('is refused by a name that there is not, with those that there are', () => {
    expect(() => parseDevice('tpu')).toThrow(
      expect.objectContaining({ sqlstate: '22023', hint: expect.stringContaining('cpu, webgpu, cuda') }),
    );
  });

  it('says what it lacks where it does not load', async () => {
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
  it('is ONNX Runtime on the device where none is named', async () => {
    const engine = await chooseEngine(parseEngine(undefined), { device: 'webgpu', logger: silentLogger });
    expect(engine.name).toBe('onnxruntime on webgpu');
  });

  it('is refused by a name that there is not', () => {
    expect(() => parseEngine('torch')).toThrow(
      expect.objectContaining({ sqlstate: '22023', hint: expect.stringContaining('tfjs') }),
    );
  });

  it('falls back to ONNX Runtime, and says why, where TensorFlow.js does not load', async () => {
    const lines: string[] = [];
    const logger = pino({}, { write: (line) => lines.push(line) });
    const engine = await chooseEngine('tfjs', { device: 'cpu', logger });
    expect(engine.name).toBe('onnxruntime on cpu');
    expect(lines).toEqual([expect.stringContaining('"reason":"Cannot find module')]);
  });
});
