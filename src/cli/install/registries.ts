import { advisors } from '../../advisors/registry.ts';
import { knobRows } from '../../domain/knob-rows.ts';
import { metrics } from '../../domain/metrics.ts';
import { inputOf, outputOf, tasks, titleOf } from '../../domain/task.ts';
import { columnKinds } from '../../features/columns/registry.ts';
import { families, tasksOf } from '../../models/registry.ts';

/** Rows of the registry tables; rafiki_train checks overrides against `knobs`, which rafiki_knobs shows. */
export interface RegistryRows {
  task: { name: string; input: string; output: string; title: string }[];
  metric: { name: string; output: string; place: number; title: string }[];
  advisor: { name: string; place: number; title: string }[];
  column_kind: { name: string; title: string; types: readonly string[]; categories: readonly string[] }[];
  family: { name: string; task: string; title: string; knobs: Record<string, unknown> }[];
}

/** The registries for SQL: `npm run build` writes them into the install script. */
export function registryRows(): RegistryRows {
  return {
    task: tasks.map((name) => ({ name, input: inputOf(name), output: outputOf(name), title: titleOf(name) })),
    metric: Object.entries(metrics).map(([name, { output, title }], place) => ({ name, output, place, title })),
    advisor: advisors.map(({ name, title }, place) => ({ name, place, title })),
    column_kind: columnKinds.map(({ name, title, types, categories = [] }) => ({ name, title, types, categories })),
    family: families.flatMap((family) =>
      tasksOf(family).map((task) => ({
        name: family.name,
        task,
        title: family.title,
        knobs: knobRows(family.space(task)),
      })),
    ),
  };
}
