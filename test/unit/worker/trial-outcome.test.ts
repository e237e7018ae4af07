import pg from 'pg';
import { expect, test } from 'vitest';
import { EnvironmentUnfit, LeaseLost, StatementRefused } from '../../../src/errors/errors.ts';
import {
  endOf,
  mayBeOfMachine,
  outcomeOf,
  type TrainingProgress,
  type TrialOutcome,
} from '../../../src/worker/trial-outcome.ts';

const databaseError = (code: string): pg.DatabaseError =>
  Object.assign(new pg.DatabaseError('no', 2, 'error'), { code });

test.each([
  ['a column that a newer schema no longer has', databaseError('42703'), 'unfit', '42703'],
  ['a full disk of this machine', new EnvironmentUnfit('no space'), 'unfit', '58000'],
  ['a table that the source no longer has', new StatementRefused('42P01', 'no'), 'failed', '42P01'],
  ['a value that the schema refuses', databaseError('23514'), 'failed', '23514'],
  ['an error of a library', new Error('Load model failed'), 'failed', 'XX000'],
])('%s', (_, error, kind, sqlstate) => {
  expect(outcomeOf(error)).toMatchObject({ kind, error: { sqlstate } });
});

test.each([
  ['a lost lease', new LeaseLost('no')],
  ['a restart of Postgres', databaseError('57P01')],
  ['a password that was not known for too long', databaseError('28P01')],
])('after %s nothing is written', (_, error) => {
  expect(outcomeOf(error)).toEqual({ kind: 'lost' });
});

const failed = (sqlstate: string): TrialOutcome => ({ kind: 'failed', error: { sqlstate, message: 'x' } });

test('the end of a process that has not started counts no attempt; a later one does', () => {
  expect(endOf('it exited with code 1', 'none')).toMatchObject({
    kind: 'unfit',
    error: { sqlstate: '58000', detail: 'it exited with code 1' },
  });
  for (const progress of ['begun', 'reported'] as const)
    expect(endOf('it exited with code 1', progress)).toMatchObject({ kind: 'crashed' });
});

test.each<[string, TrialOutcome, TrainingProgress, boolean]>([
  ['it could not start', endOf('x', 'none'), 'none', true],
  ['it died before its first report', endOf('x', 'begun'), 'begun', true],
  ['it died later', endOf('x', 'reported'), 'reported', false],
  ['it failed before its first report', failed('XX000'), 'begun', true],
  ['it failed later', failed('XX000'), 'reported', false],
  ['its rows cannot be used', failed('22000'), 'begun', false],
  ['it was released', { kind: 'released' }, 'begun', false],
])('whether a worker pauses after a trial, because its machine may be at fault: %s', (_, outcome, progress, pauses) => {
  expect(mayBeOfMachine(outcome, progress)).toBe(pauses);
});
