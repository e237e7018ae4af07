import { RafikiError, type RafikiErrorOptions } from './rafiki-error.ts';

/** A caller's value is not accepted (22023). */
export class InvalidParameter extends RafikiError {
  readonly sqlstate = '22023';
}

/** A feature that this version does not have (0A000). */
export class NotSupported extends RafikiError {
  readonly sqlstate = '0A000';
}

/** Bytes on the wire violate the protocol (08P01). */
export class ProtocolViolation extends RafikiError {
  readonly sqlstate = '08P01';
}

/** A text is not valid in its declared encoding (22021). */
export class InvalidEncoding extends RafikiError {
  readonly sqlstate = '22021';
}

/** A request is too large for one call (54000): DETAIL has both sizes. */
export class RequestTooLarge extends RafikiError {
  readonly sqlstate = '54000';
}

/** The named model, version or study does not exist, or not for this caller (42704). */
export class UndefinedObject extends RafikiError {
  readonly sqlstate = '42704';
}

/** The model exists but is not ready, for example still loading (55000); retrying later helps. */
export class NotReady extends RafikiError {
  readonly sqlstate = '55000';
  override readonly retryable = true;
}

/** A bounded queue or store is full (53400); retrying later helps. */
export class LimitReached extends RafikiError {
  readonly sqlstate = '53400';
  override readonly retryable = true;
}

/** A study's rows have more bytes than a data file may have (54000). */
export class DataTooLarge extends RafikiError {
  readonly sqlstate = '54000';
}

/** A model needs more memory than the maximum for all models (53200). */
export class OutOfMemory extends RafikiError {
  readonly sqlstate = '53200';
}

/** The caller cancelled (57014). */
export class Cancelled extends RafikiError {
  readonly sqlstate = '57014';
}

/** There is no answer within the latency budget, and the caller accepts no late one (57014); retrying later helps. */
export class DeadlineMissed extends RafikiError {
  readonly sqlstate = '57014';
  override readonly retryable = true;
}

/** The server is stopping (57P01); a retry reaches its successor. */
export class ShuttingDown extends RafikiError {
  readonly sqlstate = '57P01';
  override readonly retryable = true;
}

export const serverStopping = (): ShuttingDown =>
  new ShuttingDown('the prediction server is stopping', { hint: 'Repeat the call: the next server will answer.' });

/** What an imported model runs ended badly: it took too long, too much memory, or its process died (38000); DETAIL says which. */
export class ExternalFailure extends RafikiError {
  readonly sqlstate = '38000';
}

/** A row of the caller's data cannot be used (22000); DETAIL identifies the row. */
export class BadData extends RafikiError {
  readonly sqlstate = '22000';
}

/** Training diverged: the loss is not a number or too large (22003); DETAIL has the step and the knobs. */
export class Diverged extends RafikiError {
  readonly sqlstate = '22003';
}

/** Another worker has taken over the trial: further writes by this one are refused (40001). */
export class LeaseLost extends RafikiError {
  readonly sqlstate = '40001';
}

/**
 * The login that reads sources cannot connect (28000): not a fault of the study, which waits until an administrator has
 * fixed it.
 */
export class ReaderRefused extends RafikiError {
  readonly sqlstate = '28000';
}

/** Reading a study's source takes too long (57014); DETAIL has the reason. */
export class ReadTooLong extends RafikiError {
  readonly sqlstate = '57014';
}

/** A worker that only waits is needed by a role without running trials (57014); other workers continue its task. */
export class WorkerNeeded extends RafikiError {
  readonly sqlstate = '57014';
  override readonly retryable = true;
}

/** Another session has locked the row (55P03); retrying later helps, and other rows need not wait. */
export class RowLocked extends RafikiError {
  readonly sqlstate = '55P03';
  override readonly retryable = true;
}

/** Stored bytes do not match their hash (XX001). */
export class CorruptParams extends RafikiError {
  readonly sqlstate = 'XX001';
}

/** The server that stores the bytes of parameters is unreachable or busy (08006); retrying later helps. */
export class StoreUnreachable extends RafikiError {
  readonly sqlstate = '08006';
  override readonly retryable = true;
}

/** The process's environment lacks something (58000); the hint describes the fix. */
export class EnvironmentUnfit extends RafikiError {
  readonly sqlstate = '58000';
}

/** The object's state does not allow the operation (55000). */
export class InvalidState extends RafikiError {
  readonly sqlstate = '55000';
}

/** The role does not have the rights that an operation needs (42501). */
export class PermissionDenied extends RafikiError {
  readonly sqlstate = '42501';
}

/** The client does not have the secret (28P01). */
export class AuthenticationFailed extends RafikiError {
  readonly sqlstate = '28P01';
}

/** The database does not answer, or a connection to it was lost (08006); repeating later helps. */
export class DatabaseUnreachable extends RafikiError {
  readonly sqlstate = '08006';
  override readonly retryable = true;
}

/** The server has too many connections (53300). */
export class TooManyConnections extends RafikiError {
  readonly sqlstate = '53300';
  override readonly retryable = true;
}

/** The model's name belongs to another role, or to a model of another task (42710). */
export class NameTaken extends RafikiError {
  readonly sqlstate = '42710';
}

/** A family from elsewhere does not keep to the protocol, or what it made is no model (38000, external routine exception). */
export class FamilyFailed extends RafikiError {
  readonly sqlstate = '38000';
}

/** A signal ended the command of a family (58000): another attempt continues from the checkpoint. */
export class FamilyKilled extends RafikiError {
  readonly sqlstate = '58000';
  override readonly retryable = true;
}

/** Postgres refused a statement that was run for the caller, such as reading the source; its message is passed on. */
export class StatementRefused extends RafikiError {
  readonly sqlstate: string;

  constructor(sqlstate: string, message: string, options: RafikiErrorOptions = {}) {
    super(message, options);
    this.sqlstate = sqlstate;
  }
}
