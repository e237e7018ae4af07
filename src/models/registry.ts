import { inputOf, outputOf, type Task, tasks } from '../domain/task.ts';
import type { KnownEncoder } from '../domain/training.ts';
import { InvalidParameter, NameTaken } from '../errors/errors.ts';
import { fasterRcnn } from './detection/faster-rcnn.ts';
import { ssd } from './detection/ssd.ts';
import { yolo } from './detection/yolo.ts';
import type { Family, NetworkFamily, SpaceInputs } from './family.ts';
import { inception } from './image/inception.ts';
import { resnet } from './image/resnet.ts';
import { squeezenet } from './image/squeezenet.ts';
import { vgg } from './image/vgg.ts';
import { xception } from './image/xception.ts';
import { encoder } from './pretrained/encoder.ts';
import { encoderTuned } from './pretrained/encoder-tuned.ts';
import { gradientBoosting } from './tabular/gradient-boosting.ts';
import { linear } from './tabular/linear.ts';
import { mlp } from './tabular/mlp.ts';
import { charRnn } from './text/char-rnn.ts';
import { fasttext } from './text/fasttext.ts';
import { linearText } from './text/linear-text.ts';
import { temporalCnn } from './text/temporal-cnn.ts';

/** The zoo, in the order in which a study first tries the families. */
export const families: readonly Family[] = [
  encoder,
  linearText,
  fasttext,
  temporalCnn,
  encoderTuned,
  charRnn,
  resnet,
  vgg,
  xception,
  squeezenet,
  inception,
  yolo,
  ssd,
  fasterRcnn,
  gradientBoosting,
  mlp,
  linear,
];

/** Families that the operator of this process has added: of a worker and its training processes. */
let added: readonly Family[] = [];
const all = (): readonly Family[] => [...families, ...added];

/** Adds families to those of this process, in place of any that were added before. Throws {@link NameTaken}. */
export function addFamilies(own: readonly Family[]): void {
  const names = [...families, ...own].map(({ name }) => name);
  const twice = names.find((name, place) => names.indexOf(name) < place);
  if (twice !== undefined) {
    throw new NameTaken(`there are two model families "${twice}"`, {
      detail: families.some(({ name }) => name === twice) ? 'One of them is of Rafiki itself.' : 'Both were added.',
      hint: 'Give the added one another name.',
    });
  }
  added = own;
}

/** All that this process can train. */
export const familyNames = (): readonly string[] => all().map(({ name }) => name);

/** Whether a family is one of Rafiki itself, by its name. */
export const isBuiltIn = (name: string): boolean => families.some((family) => family.name === name);

export const isNetwork = (family: Family): family is NetworkFamily => 'network' in family;

/** Whether a family has smaller networks for little time. */
export const hasSizes = (family: Family): boolean => isNetwork(family) && family.smaller !== undefined;

const networkNames = (): readonly string[] =>
  all()
    .filter(isNetwork)
    .map(({ name }) => name);

/** Families whose trials several workers can train together. */
export const sharedFamilyNames = (): readonly string[] =>
  all()
    .filter((family) => isNetwork(family) || family.joins !== undefined)
    .map(({ name }) => name);

/** Whether trials of a family, by its name, find their end themselves: a forest is good late if its steps are small. */
export const endsByItself = (name: string): boolean =>
  all().some((family) => family.name === name && !isNetwork(family) && family.trainsAllEpochs !== true);

/**
 * The epoch with the best of these scores, from 1, that a trial of the family keeps; 0 if there are none. Of equal ones a network keeps the
 * last, whose learning rate was lowest, and what ends by itself the first.
 */
export function keptEpoch(family: string, scores: readonly number[]): number {
  const best = Math.max(...scores);
  return (endsByItself(family) ? scores.indexOf(best) : scores.lastIndexOf(best)) + 1;
}

const isFor = ({ input, outputs }: Family, task: Task): boolean =>
  [input].flat().includes(inputOf(task)) && outputs.includes(outputOf(task));

/** Without those on a pretrained encoder, unless there is one. */
export const familiesFor = (task: Task, { encoders = [] }: Partial<SpaceInputs> = {}): readonly Family[] =>
  all().filter((family) => isFor(family, task) && standsOn(family, encoders));

const standsOn = ({ needsEncoder = false, trainsEncoder = false }: Family, there: readonly KnownEncoder[]): boolean =>
  !needsEncoder || there.some(({ trainable }) => trainable || !trainsEncoder);

export const tasksOf = (family: Family): readonly Task[] => tasks.filter((task) => isFor(family, task));

/** The families of a study: those that its owner named, or all of its task that fit the number of trials. */
export const studyFamilies = (study: {
  task: Task;
  families: readonly string[] | null;
  maxTrials: number;
  encoders: readonly KnownEncoder[];
}): readonly Family[] =>
  familiesFor(study.task, study).filter(({ name, minTrials = 0 }) =>
    study.families === null ? minTrials <= study.maxTrials : study.families.includes(name),
  );

export function familyByName(name: string): Family {
  const family = all().find((candidate) => candidate.name === name);
  if (family !== undefined) return family;
  throw new InvalidParameter(`there is no model family "${name}"`, {
    hint: `Families: ${familyNames().join(', ')}.`,
  });
}

/** Throws {@link InvalidParameter} for a family that is no network. */
export function networkFamily(name: string): NetworkFamily {
  const family = familyByName(name);
  if (isNetwork(family)) return family;
  throw new InvalidParameter(`the model family "${name}" is no network`, {
    hint: `Networks: ${networkNames().join(', ')}.`,
  });
}
