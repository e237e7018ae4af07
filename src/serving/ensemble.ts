import { argmax } from '../domain/metrics.ts';
import type { Task } from '../domain/task.ts';
import { majorityVote } from '../domain/vote.ts';
import { InvalidState } from '../errors/errors.ts';
import type { MemberOutput } from './devices/device.ts';

/** The detailed result of `rafiki_predict_detail`; probabilities are means over the members, one per class. */
export type Finding = { probabilities: readonly number[] } | { boxes: FoundBox[] };

/** An object found in an image, in pixels of the upright image, from its top left corner. */
export interface FoundBox {
  label: string;
  score: number;
  x: number;
  y: number;
  w: number;
  h: number;
}

/** Combines the members' outputs for row `row` of `rows`. */
export interface AnswerMaker {
  /** The result of `rafiki_predict`: the label, or the found objects as JSON. */
  answer(outputs: readonly MemberOutput[], row: number, rows: number): string;
  finding(outputs: readonly MemberOutput[], row: number, rows: number): Finding;
}

/** Numbers per detection: class, score, x, y, w, h. */
const DETECTION_SIZE = 6;
/** Objects with lower scores are noise, also for details. */
const MIN_SCORE = 0.05;
/** Minimum score in the result of `rafiki_predict`; also the default of `rafiki_detect`. */
const CLEAR_SCORE = 0.3;

/** Boxes of different detectors cannot be averaged: the best detector answers alone. */
export const answeringMembers = (task: Task, members: number): number =>
  task === 'object_detection' ? Math.min(1, members) : members;

export const answerMakerOf = (task: Task, classes: readonly string[]): AnswerMaker =>
  task === 'object_detection' ? objectAnswers(classes) : classAnswers(classes);

/** From probabilities [rows, classes] of each member. */
function classAnswers(names: readonly string[]): AnswerMaker {
  const classes = names.length;
  /** An output that is no class is an error, never an answer. */
  const nameOf = (label: number): string => {
    const name = names[label];
    if (name === undefined) throw new InvalidState('the output of a model is not a probability per class');
    return name;
  };
  return {
    answer(outputs, row) {
      const label = majorityVote(outputs.map((output) => argmax(output, row * classes, classes)));
      return nameOf(label);
    },
    finding(outputs, row) {
      const probabilities = new Array<number>(classes).fill(0);
      for (const output of outputs) {
        for (let c = 0; c < classes; c++) probabilities[c]! += (output[row * classes + c] as number) / outputs.length;
      }
      return { probabilities };
    },
  };
}

/** From detections [rows, M, 6], best first, padded with score 0. */
function objectAnswers(names: readonly string[]): AnswerMaker {
  const boxesOf = ([output = new Float32Array(0)]: readonly MemberOutput[], row: number, rows: number): FoundBox[] => {
    const size = output.length / rows;
    const boxes: FoundBox[] = [];
    for (let at = row * size; at < (row + 1) * size; at += DETECTION_SIZE) {
      const [label = 0, score = 0, x = 0, y = 0, w = 0, h = 0] = output.subarray(at, at + DETECTION_SIZE);
      if (!(score >= MIN_SCORE)) break;
      boxes.push({ label: names[label] ?? String(label), score: round(score, 4), ...corners({ x, y, w, h }) });
    }
    return boxes;
  };
  return {
    answer: (...row) => JSON.stringify(boxesOf(...row).filter(({ score }) => score >= CLEAR_SCORE)),
    finding: (...row) => ({ boxes: boxesOf(...row) }),
  };
}

/** A tenth of a pixel is more precise than any detector. */
const corners = ({ x, y, w, h }: Pick<FoundBox, 'x' | 'y' | 'w' | 'h'>): Pick<FoundBox, 'x' | 'y' | 'w' | 'h'> => ({
  x: round(x, 1),
  y: round(y, 1),
  w: round(w, 1),
  h: round(h, 1),
});

const round = (value: number, digits: number): number => Number(value.toFixed(digits));
