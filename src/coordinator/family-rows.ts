import type { FamilyRow } from '../db/statements/families.ts';
import type { Knob } from '../domain/hyper-space.ts';
import { families } from '../models/registry.ts';

/** The zoo as SQL knows it: a row for each task of each family. */
export function familyRows(): FamilyRow[] {
  return families.flatMap((family) =>
    family.tasks.map((task) => ({
      name: family.name,
      task,
      title: family.title,
      knobs: Object.fromEntries(
        family
          .space(task)
          .knobs()
          .map((knob) => [knob.name, describe(knob)]),
      ),
    })),
  );
}

const describe = ({ group, domain, initial }: Knob): Record<string, unknown> => ({ group, ...domain, initial });
