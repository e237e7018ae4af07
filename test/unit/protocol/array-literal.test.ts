import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ProtocolViolation } from '../../../src/errors/errors.ts';
import { readArrayLiteral } from '../../../src/protocol/array-literal.ts';
import { arrayLiteral } from '../../../src/protocol/reply.ts';

const values = fc.array(
  fc.option(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('\\', '"', '\\"', 'NULL', '{}', ',', '\n'))),
);

test('reads what the servers write', () => {
  fc.assert(
    fc.property(values, (list) => {
      expect(readArrayLiteral(arrayLiteral(list))).toEqual(list);
    }),
    { numRuns: 500 },
  );
});

test.each(['', '{', '{"a"', '{"a",}', '{"a"}x', '{a}', '{"a""b"}', '{"a\\"}'])('refuses %j', (literal) => {
  expect(() => readArrayLiteral(literal)).toThrow(ProtocolViolation);
});
