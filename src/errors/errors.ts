import { RafikiError, type RafikiErrorOptions } from './rafiki-error.ts';

/** A caller's value is outside what is accepted (22023). */
export class InvalidParameter extends RafikiError {
  readonly sqlstate = '22023';
}

/** Something that was asked for and that this version does not have (0A000). */
export class NotSupported extends RafikiError {
  readonly sqlstate = '0A000';
}

/** Bytes on the wire are not what the protocol says (08P01). */
export class ProtocolViolation extends RafikiError {
  readonly sqlstate = '08P01';
}

/** Text that is not valid in the encoding it claims (22021). */
export class InvalidEncoding extends RafikiError {
  readonly sqlstate = '22021';
}

/** A request is larger than what one call may bring (54000): DETAIL has both sizes. */
export class RequestTooLarge extends RafikiError {
  readonly sqlstate = '54000';
}

/** The named model, version or study is not there, or not for this caller (42704). */
export class UndefinedObject extends RafikiError {
  readonly sqlstate = '42704';
}

/** The model is there but cannot answer yet, e.g. it is still loading (55000); asking again later helps. */
export class NotReady extends RafikiError {
  readonly sqlstate = '55000';
  override readonly retryable = true;
}

/** A bounded queue or store is full (53400); asking again later helps. */
export class LimitReached extends RafikiError {
  readonly sqlstate = '53400';
  override readonly retryable = true;
}

/** A study's rows are more bytes than a data file may have (54000). */
export class DataTooLarge extends RafikiError {
  readonly sqlstate = '54000';
}

/** A model needs more memory than there is for all models (53200). */
export class OutOfMemory extends RafikiError {
  readonly sqlstate = '53200';
}

/** The caller cancelled (57014). */
export class Cancelled extends RafikiError {
  readonly sqlstate = '57014';
}

/** There is no answer within the latency budget, and the caller wants none later (57014); asking again later helps. */
export class DeadlineMissed extends RafikiError {
  readonly sqlstate = '57014';
  override readonly retryable = true;
}

/** The server is stopping (57P01); the next attempt reaches its successor. */
export class ShuttingDown extends RafikiError {
  readonly sqlstate = '57P01';
  override readonly retryable = true;
}

/** A row of the caller's data cannot be used: DETAIL names the row (22000). */
export class BadData extends RafikiError {
  readonly sqlstate = '22000';
}

/** Training diverged, its loss no number or beyond reason: DETAIL has the step and the knobs (22003). */
export class Diverged extends RafikiError {
  readonly sqlstate = '22003';
}

/** A trial's lease went to another worker: whatever this one still reports is refused (40001). */
export class LeaseLost extends RafikiError {
  readonly sqlstate = '40001';
}

/** The login that reads sources cannot connect (28000): not the fault of any study, which waits until an administrator has mended it. */
export class ReaderRefused extends RafikiError {
  readonly sqlstate = '28000';
}

/** Reading a study's source takes longer than it may (57014): DETAIL says why it was ended. */
export class ReadTooLong extends RafikiError {
  readonly sqlstate = '57014';
}

/** A worker that only waits is needed by a role of which nothing runs (57014); what it waited for is left to others. */
export class WorkerWanted extends RafikiError {
  readonly sqlstate = '57014';
  override readonly retryable = true;
}

/** Somebody else is changing the row (55P03); asking again later helps, and other rows need not wait. */
export class RowHeld extends RafikiError {
  readonly sqlstate = '55P03';
  override readonly retryable = true;
}

/** Stored bytes do not match their hash (XX001). */
export class CorruptParams extends RafikiError {
  readonly sqlstate = 'XX001';
}

/** The server that keeps the bytes of parameters is away or busy (08006); asking again later helps. */
export class StoreUnreachable extends RafikiError {
  readonly sqlstate = '08006';
  override readonly retryable = true;
}

/** Something that the process needs from its environment is missing (58000); the hint says how to get it. */
export class EnvironmentUnfit extends RafikiError {
  readonly sqlstate = '58000';
}

/** An operation was asked of an object in a state that does not allow it (55000). */
export class InvalidState extends RafikiError {
  readonly sqlstate = '55000';
}

/** Whoever connects does not know the secret (28P01). */
export class AuthenticationFailed extends RafikiError {
  readonly sqlstate = '28P01';
}

/** All connections that the server keeps are taken (53300). */
export class TooManyConnections extends RafikiError {
  readonly sqlstate = '53300';
  override readonly retryable = true;
}

/** The model's name belongs to somebody else, or to a model for another task (42710). */
export class NameTaken extends RafikiError {
  readonly sqlstate = '42710';
}

/** Postgres refused a statement that stands for the caller, e.g. reading the source: what it said is passed on. */
export class StatementRefused extends RafikiError {
  readonly sqlstate: string;

  constructor(sqlstate: string, message: string, options: RafikiErrorOptions = {}) {
    super(message, options);
    this.sqlstate = sqlstate;
  }
}
