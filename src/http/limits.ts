const MB = 2 ** 20;

/** Limits on connections, memory and time. */
export interface HttpLimits {
  /** Open connections. */
  connections: number;
  /** Deadlines for all of a request's headers, and for all of its body, to arrive. */
  headersMs: number;
  requestMs: number;
  /** Of a connection without a request. */
  keepAliveMs: number;
  headerBytes: number;
  /** Maximum of a JSON body, of an image, and of an uploaded file. */
  jsonBytes: number;
  imageBytes: number;
  uploadBytes: number;
  /** All bodies above `smallBytes` share `bodyBytes`. */
  smallBytes: number;
  bodyBytes: number;
  /** All answers above `smallBytes` that clients have not read yet share `answerBytes`; a role has a quarter, or one answer. */
  answerBytes: number;
  /** A client that has not read `readBytes` of its answer in this time, nor the rest of it, is disconnected. */
  unreadMs: number;
  readBytes: number;
  /** Brackets within each other: parsing millions takes a second. */
  jsonDepth: number;
  /** Roles that are signed in at the same time. */
  roles: number;
  /** Connections to Postgres in use at the same time: of all roles, and of one. */
  statements: number;
  statementsOfRole: number;
  /** Requests of one role that wait for one. */
  waitingStatements: number;
  statementMs: number;
  /** Evaluations, uploads, and what else reads whole tables. */
  longStatementMs: number;
  /** Predictions in progress: of all roles, and of one. */
  predictions: number;
  predictionsOfRole: number;
  waitingPredictions: number;
  /** Streams of events: of all roles, and of one. */
  streams: number;
  streamsOfRole: number;
  /** Sessions of browsers: of all roles, and of one; one that is not used ends, and each after the longer time. */
  sessions: number;
  sessionsOfRole: number;
  sessionIdleMs: number;
  sessionMaxMs: number;
  /** Attempts to sign in that are checked at the same time, and that wait for it. */
  signIns: number;
  waitingSignIns: number;
  /** A password is checked again, by a new connection, in the background; and before the request that comes later than this. */
  signInRefreshMs: number;
  signInExpireMs: number;
  /** Failed attempts a minute: from one address, and from one address for one role. */
  failuresOfAddress: number;
  failuresOfRole: number;
}

export const defaultHttpLimits: HttpLimits = {
  connections: 1024,
  headersMs: 10_000,
  requestMs: 60_000,
  keepAliveMs: 60_000,
  headerBytes: 16 * 1024,
  jsonBytes: 32 * MB,
  imageBytes: 33_554_432,
  uploadBytes: 64 * MB,
  smallBytes: 64 * 1024,
  bodyBytes: 256 * MB,
  answerBytes: 512 * MB,
  unreadMs: 30_000,
  readBytes: 16 * 1024,
  jsonDepth: 64,
  roles: 64,
  statements: 16,
  statementsOfRole: 3,
  waitingStatements: 64,
  statementMs: 30_000,
  longStatementMs: 600_000,
  predictions: 384,
  predictionsOfRole: 128,
  waitingPredictions: 1024,
  streams: 256,
  streamsOfRole: 16,
  sessions: 1024,
  sessionsOfRole: 16,
  sessionIdleMs: 2 * 3_600_000,
  sessionMaxMs: 12 * 3_600_000,
  signIns: 4,
  waitingSignIns: 64,
  signInRefreshMs: 30_000,
  signInExpireMs: 60_000,
  failuresOfAddress: 60,
  failuresOfRole: 10,
};
