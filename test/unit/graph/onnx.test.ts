import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSession } from '../../../src/engine/session.ts';
import * as emit from '../../../src/graph/emit.ts';
import { Graph } from '../../../src/graph/graph.ts';
import { encodeModel } from '../../../src/graph/onnx.ts';
import { varintField } from '../../../src/graph/protobuf.ts';

describe('protobuf', () => {
  it('writes any int64 as a varint that reads back', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const bytes = varintField(1, value).subarray(1);
        const read = bytes.reduceRight((sum, byte) => (sum << 7n) | BigInt(byte & 127), 0n);
        expect(BigInt.asIntN(64, read)).toBe(value);
        expect(bytes.length).toBeLessThanOrEqual(10);
      }),
    );
  });
});

describe('graphs', () => {
  it('run in ONNX Runtime as written, with every kind of attribute and constant', async () => {
    const g = new Graph('g');
    const x = g.input('x', ['N', 3]);
    const padded = emit.pad(g, emit.mul(g, x, g.scalar(2)), 1, 1, 0);
    const rest = emit.slice(g, padded, 1, 1, -1);
    g.output(emit.transpose(g, emit.concat(g, [rest, emit.isPositive(g, rest)], 1), [1, 0]), 'y');
    const session = await createSession(encodeModel(g), 1);
    const { y } = await session.run({ x: { dtype: 'float32', shape: [1, 3], data: Float32Array.of(1, -2, 3) } });
    await session.release();
    expect(y).toEqual({ dtype: 'float32', shape: [4, 1], data: Float32Array.of(2, -4, 1, 0) });
  });

  it('give equal bytes for equal descriptions', () => {
    const make = (): Uint8Array => {
      const g = new Graph('g');
      g.output(emit.add(g, g.input('x', [2]), g.scalar(1)), 'y');
      return encodeModel(g);
    };
    expect(make()).toEqual(make());
  });

  it('that ONNX Runtime refuses say why', async () => {
    const g = new Graph('g');
    g.output(g.node('NoSuchOp', [g.input('x', [1])], [1]), 'y');
    await expect(createSession(encodeModel(g), 1)).rejects.toMatchObject({
      detail: expect.stringContaining('NoSuchOp'),
    });
  });
});
