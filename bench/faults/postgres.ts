import { setTimeout as sleep } from 'node:timers/promises';
import { kill } from '../load/kills.ts';
import type { LoadStage } from '../load/stage.ts';
import { type SingleFault, underLoad } from './fault.ts';

const TIMES = 6;
const BETWEEN_MS = 6_000;
const SLOW_ROUNDS = 15;
const STOPPED_MS = 2_000;
const GOING_MS = 500;

const ended = (name: string, checks: string, signals: readonly NodeJS.Signals[]): SingleFault => ({
  name,
  checks,
  run: () =>
    underLoad({}, async (stage) => {
      for (let i = 0; i < TIMES; i++) {
        for (const pid of stage.pids('postmaster')) kill(pid, signals[i % signals.length]);
        await sleep(BETWEEN_MS);
      }
      return undefined;
    }),
});

export const postgresRestarted = ended(
  'postgres-restarted',
  `fast shutdown, ${TIMES} times, in the middle of commits`,
  ['SIGINT'],
);

export const postgresCrashed = ended('postgres-crashed', `killed or shut down immediately, ${TIMES} times`, [
  'SIGKILL',
  'SIGQUIT',
]);

export const postgresSlow: SingleFault = {
  name: 'postgres-slow',
  checks: `Postgres stands still for 2 s of every 2.5 s, ${SLOW_ROUNDS} times`,
  run: () =>
    underLoad({}, async (stage) => {
      for (let i = 0; i < SLOW_ROUNDS; i++) {
        const pids = postgresOf(stage);
        for (const pid of pids) kill(pid, 'SIGSTOP');
        await sleep(STOPPED_MS);
        for (const pid of pids) kill(pid, 'SIGCONT');
        await sleep(GOING_MS);
      }
      return undefined;
    }),
};

const postgresOf = (stage: LoadStage): number[] => [
  ...stage.pids('backend'),
  ...stage.pids('auxiliary'),
  ...stage.pids('postmaster'),
];
