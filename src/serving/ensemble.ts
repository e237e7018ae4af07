import { argmax } from '../domain/metrics.ts';
import type { Task } from '../domain/task.ts';
import { majorityVote } from '../domain/vote.ts';
import type { MemberOutput } from './device.ts';

/** What an ensemble says of one row. */
export interface Verdict {
  /** What `rafiki_predict` gives: the label, or the objects found, as JSON. */
  answer: string;
  /** What `rafiki_predict_detail` shows of it; probabilities are means over the members asked, one per class. */
  finding: { probabilities: readonly number[] } | { boxes: FoundBox[] };
}

/** An object found in an image, in pixels of the upright image from its top left corner. */
export interface FoundBox {
  label: string;
  score: number;
  x: number;
  y: number;
  w: number;
  h: number;
}

/** Judges row `row` of the `rows` rows that the members answered. */
export type Judge = (outputs: readonly MemberOutput[], row: number, rows: number) => Verdict;

/** Numbers of one detection: class, score, x, y, w, h. */
const DETECTION_SIZE = 6;
/** Objects of lower scores are noise, even in details. */
const LEAST_SCORE = 0.05;
/** What `rafiki_predict` takes for an object; the default of `rafiki_detect` as well. */
const CLEAR_SCORE = 0.3;

/** Boxes of several detectors are no votes on the same thing: the best one answers alone. */
export const answeringMembers = (task: Task, members: number): number =>
  task === 'object_detection' ? Math.min(1, members) : members;

export const judgeOf = (task: Task, classes: readonly string[]): Judge =>
  task === 'object_detection' ? judgeObjects(classes) : judgeClasses(classes);

/** Of probabilities [rows, classes] for each member. */
function judgeClasses(names: readonly string[]): Judge {
  const classes = names.length;
  return (outputs, row) => {
    const probabilities = new Array<number>(classes).fill(0);
    const votes = outputs.map((output) => argmax(output, row * classes, classes));
    for (const output of outputs) {
      for (let c = 0; c < classes; c++) probabilities[c]! += (output[row * classes + c] as number) / outputs.length;
    }
    const label = majorityVote(votes);
    return { answer: names[label] ?? String(label), finding: { probabilities } };
  };
}

/** Of detections [rows, M, 6], best first, unused ones with score 0. */
function judgeObjects(names: readonly string[]): Judge {
  return ([output = new Float32Array(0)], row, rows) => {
    const size = output.length / rows;
    const boxes: FoundBox[] = [];
    for (let at = row * size; at < (row + 1) * size; at += DETECTION_SIZE) {
      const [label = 0, score = 0, x = 0, y = 0, w = 0, h = 0] = output.subarray(at, at + DETECTION_SIZE);
      if (!(score >= LEAST_SCORE)) break;
      boxes.push({ label: names[label] ?? String(label), score: round(score, 4), ...corners({ x, y, w, h }) });
    }
    return { answer: JSON.stringify(boxes.filter(({ score }) => score >= CLEAR_SCORE)), finding: { boxes } };
  };
}

/** A tenth of a pixel is finer than any detector. */
const corners = ({ x, y, w, h }: Pick<FoundBox, 'x' | 'y' | 'w' | 'h'>): Pick<FoundBox, 'x' | 'y' | 'w' | 'h'> => ({
  x: round(x, 1),
  y: round(y, 1),
  w: round(w, 1),
  h: round(h, 1),
});

const round = (value: number, digits: number): number => Number(value.toFixed(digits));
