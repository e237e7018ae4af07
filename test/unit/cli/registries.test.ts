import { expect, test } from 'vitest';
import { registryRows } from '../../../src/cli/install/registries.ts';
import { tasks } from '../../../src/domain/task.ts';
import { families, tasksOf } from '../../../src/models/registry.ts';

const rows = registryRows();

test('every family is listed for each of its tasks, its knobs as plain JSON', () => {
  const { family } = rows;
  expect(family).toHaveLength(families.flatMap(tasksOf).length);
  expect(JSON.parse(JSON.stringify(family))).toEqual(family);
  for (const { knobs } of family) {
    for (const knob of Object.values(knobs)) {
      expect(knob).toMatchObject({
        group: expect.any(String),
        kind: expect.stringMatching(/^(range|categorical|encoder)$/),
      });
      expect(knob).toHaveProperty('initial');
    }
  }
});

test('every task has a family and a metric', () => {
  expect(rows.task.map(({ name }) => name)).toEqual(tasks);
  for (const { name, output } of rows.task) {
    expect(rows.family.some(({ task }) => task === name)).toBe(true);
    expect(rows.metric.some((metric) => metric.output === output)).toBe(true);
  }
});
