import { type CandidateLimits, candidatesOf, rungSeconds, rungSizes } from '../domain/rungs.ts';
import { affordableTrials, type CommandLimits, type StudyTime, type TimeLeft } from '../domain/training.ts';

/** A trial's maximum share of max_time, so that slow knobs do not delay the study. */
const SHARE = 0.25;
/**
 * The first trial of a family may take more: as much as allows the workers to train this many families. One completely trained
 * network is as good as an ensemble of several that are not, and answers faster.
 */
const FAMILIES = 2;

/** A trial's share of its study's time: the planned training is not longer, unless that would be too short to learn anything. */
export const shareSeconds = ({ maxSeconds, workers, isFirst }: ShareOf): number =>
  maxSeconds * (isFirst ? Math.max(SHARE, 1 / Math.ceil(FAMILIES / workers)) : SHARE);

interface ShareOf {
  maxSeconds: number;
  /** Running workers that could take the study's trials. */
  workers: number;
  /** Whether it is the first trial of its family. */
  isFirst: boolean;
}

/** What a worker knows of a trial's time when it begins, in seconds. */
export interface GivenTime extends StudyTime {
  /** Of a trial that is trained to its end, like others of its study. */
  shareSeconds: number;
  /** 1-based; null if its study has none. */
  rung: number | null;
  /** Of a trial in a rung; null in the last rung, and before it is planned. */
  plannedSeconds: number | null;
  /** Null if the study has no rungs. */
  limits: CandidateLimits | null;
  /** Whether time must be left for training on all rows afterwards. */
  leavesRefit: boolean;
}

/** The time that a trial gets. */
export interface TrialTime extends TimeLeft {
  /** Whether it has all cores of its machine. */
  isAlone: boolean;
  /** As in {@link GivenTime}, once it is planned; the size of its rung if it is planned here. */
  rung: number | null;
  rungSize: number | null;
  plannedSeconds: number | null;
}

/** Maximum epochs of a trial that has all the time of its study: longer schedules improve the score, but less and less. */
export const MAX_STRETCH = 4;

/** Seconds of a study that are reserved for what comes after training: 8 bits, storing, deploying; and the same as a share. */
const END_SECONDS = 3;
const END_SHARE = 0.02;

/** Share of the time of a trial that has all of it for training the same network on all rows afterwards. */
export const REFIT_SHARE = 0.2;

/**
 * The time of a trial of `fullSeconds` on one worker (0: little, and not measured): one of a rung, alone with all that is left, or one
 * of many that are trained to their end. What an earlier attempt has planned stays, whatever workers come and go.
 */
export function timeOf(given: GivenTime, fullSeconds: number, isPlanned = false): TrialTime {
  const { studySeconds, workers, shareSeconds, rung, plannedSeconds, limits, leavesRefit } = given;
  const ofRung = (seconds: number, rungSize: number | null): TrialTime => ({
    ...{ studySeconds, shareSeconds: seconds, minEpochs: 0, maxEpochs: 1 },
    ...{ isAlone: false, rung, rungSize, plannedSeconds: seconds },
  });
  const toItsEnd = {
    ...{ studySeconds, shareSeconds, minEpochs: 0.5, maxEpochs: 1 },
    ...{ isAlone: false, rung: null, rungSize: null, plannedSeconds: null },
  };
  const usable = (studySeconds * (1 - END_SHARE) - END_SECONDS) * (leavesRefit ? 1 - REFIT_SHARE : 1);
  const alone = {
    ...{ studySeconds: usable, shareSeconds: usable, minEpochs: 0, maxEpochs: MAX_STRETCH },
    ...{ isAlone: true, rung, rungSize: 1, plannedSeconds: null },
  };
  if (fullSeconds === 0 && rung === 1) return toItsEnd; // quick, whatever rows there are: it has no place in the plan
  if (plannedSeconds !== null) return ofRung(plannedSeconds, null);
  if (rung !== null && (rung > 1 || isPlanned)) return alone;
  if (rung === null || limits === null) return toItsEnd;
  const candidates = candidatesOf(affordableTrials(given, fullSeconds), limits);
  if (candidates === null) return toItsEnd;
  const seconds = rungSeconds(studySeconds, rungSizes(candidates), workers);
  return seconds === null ? alone : ofRung(seconds, candidates);
}

/** An epoch of a family's command may take as long as the whole trial, and this at least. */
const MIN_EPOCH_SECONDS = 60;
/** After the end of the study; the coordinator cancels a trial that is still training later on. */
const LATE_SECONDS = 30;

/** What the command of a family is told of the time, and how long it may be silent. */
export const commandTime = ({
  studySeconds,
  shareSeconds,
}: TimeLeft): Pick<CommandLimits, 'seconds' | 'epochSeconds'> => ({
  seconds: Math.max(0, studySeconds),
  epochSeconds: Math.min(Math.max(MIN_EPOCH_SECONDS, shareSeconds), Math.max(0, studySeconds) + LATE_SECONDS),
});
