import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { isTransient, persist } from '../../../src/db/persist.ts';
import { translatePostgresError, withReason } from '../../../src/db/postgres-error.ts';
import { BadData, DatabaseUnreachable, StatementRefused, StoreUnreachable } from '../../../src/errors/errors.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';

function databaseError(code: string): pg.DatabaseError {
  const error = new pg.DatabaseError('no', 2, 'error');
  error.code = code;
  return error;
}

const refused = (): Error => Object.assign(new Error('no'), { code: 'ECONNREFUSED', syscall: 'connect' });

const noPassword = 'SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string';

describe('an error of the database', () => {
  test.each([
    ['a restart', databaseError('57P01')],
    ['too many connections', databaseError('53300')],
    ['a deadlock', databaseError('40P01')],
    ['a restart while the source was read', new StatementRefused('57P01', 'terminating connection')],
    ['a refused connection', refused()],
    ['a missing socket', Object.assign(new Error('no'), { code: 'ENOENT', syscall: 'connect' })],
    ['a store of parameters that does not answer', new StoreUnreachable('S3 does not answer')],
    ['a connection that ended in a transaction', withReason(new Error('Connection terminated unexpectedly'))],
    ['a connection that ended', new Error('Connection terminated unexpectedly')],
    ['a statement on one', new Error('Client has encountered a connection error and is not queryable')],
    ['a standby that is not yet promoted', databaseError('25006')],
    ['a password that is being changed', databaseError('28P01')],
    ['a role that may not log in for now', databaseError('28000')],
    ['a file of passwords that is being written', new Error(noPassword)],
    ['a host none of whose addresses answers', new AggregateError([refused(), refused()])],
  ])('is worth another try after %s', (_, error) => {
    expect(isTransient(error)).toBe(true);
  });

  test.each([
    ['a missing right', databaseError('42501')],
    ['a missing right on the source', new StatementRefused('42501', 'permission denied')],
    ['bad data', new BadData('no')],
    ['a full disk', Object.assign(new Error('no'), { code: 'ENOSPC', syscall: 'write' })],
    ['a missing file', Object.assign(new Error('no'), { code: 'ENOENT', syscall: 'open' })],
    ['a mistake of ours', new TypeError('x is not a function')],
    ['an error of a library', new Error('Load model failed: no such op')],
    ['a host of which one address is wrong', new AggregateError([refused(), new Error('no such port')])],
    ['a login as the reader', new StatementRefused('28P01', 'no')],
    ['data that quotes such an error', new BadData(noPassword)],
    ['a source that writes', new StatementRefused('25006', 'cannot execute INSERT in a read-only transaction')],
  ])('is not, after %s', (_, error) => {
    expect(isTransient(error)).toBe(false);
  });
});

test.each([
  'timeout expired',
  'timeout exceeded when trying to connect',
  'Connection terminated due to connection timeout',
  'Client was closed and is not queryable',
])('pg says "%s": the report says what to do', (message) => {
  expect(translatePostgresError(new Error(message))).toMatchObject({
    sqlstate: '08006',
    detail: message,
    hint: expect.stringContaining('Check that it runs'),
  });
  expect(translatePostgresError(new Error(message))).toBeInstanceOf(DatabaseUnreachable);
  const coded = Object.assign(new Error(message), { code: 'ECONNRESET' });
  expect(translatePostgresError(coded)).toBe(coded);
});

test('an error of ours is none of the connection, whatever text of a user it has', () => {
  const text = 'timeout exceeded when trying to connect';
  for (const error of [new BadData(text), new BadData(`the model name "${text}"`), new Error(`no: ${text}`), undefined])
    expect(translatePostgresError(error)).toBe(error);
});

describe('persisting', () => {
  const never = new AbortController().signal;

  test('tries again until it works', async () => {
    let tries = 0;
    const work = async (): Promise<number> => {
      if (++tries < 3) throw databaseError('57P01');
      return tries;
    };
    expect(await persist(work, silentLogger, never)).toBe(3);
  });

  test('gives up immediately on permanent errors, and when aborted', async () => {
    let tries = 0;
    const fail = (error: Error) => async (): Promise<void> => {
      tries++;
      throw error;
    };
    await expect(persist(fail(databaseError('42501')), silentLogger, never)).rejects.toThrow('no');
    await expect(persist(fail(databaseError('57P01')), silentLogger, AbortSignal.abort())).rejects.toThrow('no');
    expect(tries).toBe(2);
  });
});
