import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DeadlineQueue } from '../../../src/serving/queue/deadline-queue.ts';

interface Item {
  id: number;
  deadlineMs: number;
}

const contents = (queue: DeadlineQueue<Item>): (number | undefined)[] =>
  Array.from({ length: queue.length }, (_, place) => queue.at(place)?.id);

describe('DeadlineQueue', () => {
  it('behaves as a stable sort whatever is inserted, removed and taken', () => {
    const command = fc.oneof(
      fc.record({ kind: fc.constant('insert' as const), deadlineMs: fc.integer({ min: 0, max: 20 }) }),
      fc.record({ kind: fc.constant('remove' as const), place: fc.nat(30) }),
      fc.record({ kind: fc.constant('take' as const), from: fc.nat(5), rows: fc.integer({ min: 1, max: 5 }) }),
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 100 }), (commands) => {
        const queue = new DeadlineQueue<Item>();
        let model: Item[] = [];
        commands.forEach((step, id) => {
          if (step.kind === 'insert') {
            const item = { id, deadlineMs: step.deadlineMs };
            queue.insert(item);
            model = [...model, item].sort((a, b) => a.deadlineMs - b.deadlineMs || a.id - b.id);
          } else if (step.kind === 'remove') {
            const item = model[step.place];
            if (item !== undefined) queue.remove(item);
            model = model.filter((other) => other !== item);
          } else {
            const taken = queue.take(step.from, step.rows).map(({ id: each }) => each);
            expect(taken).toEqual(model.splice(step.from, step.rows).map(({ id: each }) => each));
          }
          expect(contents(queue)).toEqual(model.map(({ id: each }) => each));
        });
      }),
    );
  });

  it('takes at most as many as fit, and at least one', () => {
    const queue = new DeadlineQueue<Item>();
    for (let id = 0; id < 5; id++) queue.insert({ id, deadlineMs: id });
    expect(queue.take(0, 5, ({ id }) => id < 2).map(({ id }) => id)).toEqual([0, 1]);
    expect(queue.take(0, 5, () => false).map(({ id }) => id)).toEqual([2]);
  });
});
