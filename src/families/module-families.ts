import { HyperSpace } from '../domain/hyper-space.ts';
import { knobRows, spaceOf } from '../domain/knob-rows.ts';
import type { Task } from '../domain/task.ts';
import { FamilyFailed } from '../errors/errors.ts';
import { RafikiError } from '../errors/rafiki-error.ts';
import type { Family } from '../models/family.ts';
import { tasksOf } from '../models/registry.ts';
import { familyName, MAX_TITLE_CHARS } from './family-name.ts';

/** The families that a module exports, by any names, alone or in lists. Throws {@link FamilyFailed} if there are none, or one is not complete. */
export function checkedFamilies(file: string, module: Readonly<Record<string, unknown>>): Family[] {
  const found = [...new Set(Object.values(module).flat())].filter(looksLikeFamily);
  if (found.length === 0) {
    throw new FamilyFailed(`${file} exports no family`, {
      detail: `It exports ${Object.keys(module).join(', ').slice(0, 200) || 'nothing'}.`,
      hint: 'Export an object with name, title, input, outputs, space, and learner or network: docs/howto/own-family.md.',
    });
  }
  for (const family of found) check(file, family);
  return found;
}

/** What has a name and knobs is meant to be one. */
const looksLikeFamily = (value: unknown): value is Family =>
  typeof value === 'object' && value !== null && 'name' in value && 'space' in value;

function check(file: string, family: Family): void {
  const { name, title } = family;
  const fail = (why: string): never => {
    throw new FamilyFailed(`a family of ${file} is not complete: ${why}`, {
      detail: `Its name is ${JSON.stringify(name)}.`,
      hint: 'docs/howto/own-family.md has an example; its types are those of the package: import type { Family } from "rafiki".',
    });
  };
  if (typeof name !== 'string' || !familyName.test(name))
    fail('its name has other characters than a-z, 0-9 and _, or too many');
  if (typeof title !== 'string' || title === '' || title.length > MAX_TITLE_CHARS) fail('it has no title');
  const parts: Partial<Record<'space' | 'learner' | 'network' | 'fit' | 'recipe', unknown>> = { ...family };
  const isFunction = (part: keyof typeof parts): boolean => typeof parts[part] === 'function';
  if (!isFunction('space')) fail('space is no function');
  const isNetwork = isFunction('network') && isFunction('fit') && isFunction('recipe');
  if (!isNetwork && !isFunction('learner')) fail('it has neither a learner nor network, fit and recipe');
  const tasks = tasksOf(family);
  if (tasks.length === 0) fail('it has no task: input and outputs are those of none');
  for (const task of tasks) checkSpace(file, family, task);
}

/** Knobs are drawn by the coordinator, which has the data of a space and none of the family's code. */
function checkSpace(file: string, family: Family, task: Task): void {
  try {
    const space = family.space(task);
    const hooked = space.knobs().find(({ preHook, postHook }) => preHook !== undefined || postHook !== undefined);
    if (hooked !== undefined) {
      throw new FamilyFailed(`knob "${hooked.name}" of family "${family.name}" has a hook`, {
        detail: 'Knobs are drawn by a process that has none of its code.',
        hint: 'Leave it out, and read the knob as it is meant in the learner or the network.',
      });
    }
    spaceOf(knobRows(space));
  } catch (cause) {
    if (cause instanceof RafikiError) throw cause;
    throw new FamilyFailed(`the knobs of family "${family.name}" of ${file} cannot be read`, {
      detail: cause instanceof Error ? cause.message : String(cause),
      hint: `space(task) returns a ${HyperSpace.name}.`,
      cause,
    });
  }
}
