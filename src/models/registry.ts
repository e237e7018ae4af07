import type { Task } from '../domain/task.ts';
import { InvalidParameter } from '../errors/errors.ts';
import { charRnn } from './char-rnn.ts';
import type { Family } from './family.ts';
import { fasterRcnn } from './faster-rcnn.ts';
import { fasttext } from './fasttext.ts';
import { inception } from './inception.ts';
import { resnet } from './resnet.ts';
import { squeezenet } from './squeezenet.ts';
import { ssd } from './ssd.ts';
import { temporalCnn } from './temporal-cnn.ts';
import { vgg } from './vgg.ts';
import { xception } from './xception.ts';
import { yolo } from './yolo.ts';

/** The zoo, in the order in which a study first tries it. */
export const families: readonly Family[] = [
  fasttext,
  temporalCnn,
  charRnn,
  resnet,
  vgg,
  xception,
  squeezenet,
  inception,
  yolo,
  ssd,
  fasterRcnn,
];

export const familyNames: readonly string[] = families.map(({ name }) => name);

export const familiesFor = (task: Task): readonly Family[] => families.filter((family) => family.tasks.includes(task));

export function familyByName(name: string): Family {
  const family = families.find((candidate) => candidate.name === name);
  if (family !== undefined) return family;
  throw new InvalidParameter(`there is no model family "${name}"`, {
    hint: `Families: ${families.map((known) => known.name).join(', ')}.`,
  });
}
