import { expect, test } from 'vitest';
import { familyRows } from '../../../src/coordinator/family-rows.ts';
import { families } from '../../../src/models/registry.ts';

test('every family is listed for each of its tasks, its knobs as plain JSON', () => {
  const rows = familyRows();
  expect(rows).toHaveLength(families.reduce((count, family) => count + family.tasks.length, 0));
  expect(JSON.parse(JSON.stringify(rows))).toEqual(rows);
  for (const { knobs } of rows) {
    for (const knob of Object.values(knobs)) {
      expect(knob).toMatchObject({ group: expect.any(String), kind: expect.stringMatching(/^(range|categorical)$/) });
      expect(knob).toHaveProperty('initial');
    }
  }
});
