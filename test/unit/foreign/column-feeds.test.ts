import { afterAll, describe, expect, it } from 'vitest';
import { releaseIdleSessions } from '../../../src/engine/session.ts';
import type { CheckedImport } from '../../../src/foreign/messages.ts';
import { type ElementType, Graph } from '../../../src/graph/graph.ts';
import { encodeModel } from '../../../src/graph/onnx.ts';
import { answersOf, checked } from '../../support/onnx-files.ts';

afterAll(releaseIdleSessions);

const TYPE_FLOAT = 1;

/** A model of numbers that answers with a half of its only input. `mixes`: less the mean of its rows. */
function half(type: ElementType, { mixes = false } = {}): Promise<CheckedImport> {
  const g = new Graph('half');
  const whole = g.node('Cast', [g.input('a', ['N', 1], type)], ['N', 1], { attributes: { to: TYPE_FLOAT } });
  const given = g.node('Mul', [whole, g.scalar(0.5)], ['N', 1]);
  const mean = (): ReturnType<typeof g.node> => g.node('ReduceMean', [given, g.ints([0])], [1, 1]);
  g.output(mixes ? g.node('Sub', [given, mean()], ['N', 1]) : given, 'y');
  return checked(encodeModel(g), 'tabular_regression', { columns: [{ name: 'a', type: 'number' }] });
}

const answered = async (model: CheckedImport, a: number): Promise<number[]> => [
  ...(await answersOf(model, [JSON.stringify({ a })])),
];

describe('an input of whole numbers', () => {
  it.each([
    ['int32', [-(2 ** 31), 2 ** 31 - 128], [-(2 ** 31) - 256, 2 ** 31, 3e9]], // columns of numbers have single precision
    ['uint8', [0, 255], [-1, 256, 300]],
    ['bool', [0, 1], [-1, 2]],
  ] as const)('of type %s takes those of its range, and no others', async (type, within, without) => {
    const model = await half(type);
    const range = { int32: '-2147483648 to 2147483647', uint8: '0 to 255', bool: '0 to 1' }[type];
    for (const value of within) expect(await answered(model, value)).toEqual([value / 2]);
    for (const value of [...without, 0.5])
      await expect(answered(model, value)).rejects.toMatchObject({
        ...{
          sqlstate: '22000',
          message: expect.stringContaining(`takes whole numbers from ${range}, and a row has ${value}`),
        },
      });
  });

  it('of type int64 takes those that a number holds exactly', async () => {
    const model = await half('int64');
    expect(await answered(model, 2 ** 40)).toEqual([2 ** 39]);
    await expect(answered(model, 2 ** 60)).rejects.toMatchObject({ sqlstate: '22000' });
  });

  it.each(['uint8', 'bool'] as const)('of type %s: a graph that mixes its rows is found out', async (type) => {
    for (const mixes of [false, true]) {
      const model = await half(type, { mixes });
      expect(model.members[0]?.model.features.state['batch']).toBe(mixes ? 1 : null);
    }
  });
});
