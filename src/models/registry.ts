import type { Task } from '../domain/task.ts';
import { InvalidParameter } from '../errors/errors.ts';
import type { Family } from './family.ts';
import { fasttext } from './fasttext.ts';
import { resnet } from './resnet.ts';
import { temporalCnn } from './temporal-cnn.ts';
import { vgg } from './vgg.ts';

/** The zoo, in the order in which a study first tries it. */
export const families: readonly Family[] = [fasttext, temporalCnn, resnet, vgg];

export const familiesFor = (task: Task): readonly Family[] => families.filter((family) => family.tasks.includes(task));

export function familyByName(name: string): Family {
  const family = families.find((candidate) => candidate.name === name);
  if (family !== undefined) return family;
  throw new InvalidParameter(`there is no model family "${name}"`, {
    hint: `Families: ${families.map((known) => known.name).join(', ')}.`,
  });
}
