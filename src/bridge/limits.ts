const MB = 2 ** 20;

/** What connections may make the bridge hold, and for how long. */
export interface BridgeLimits {
  /** Connections that know the secret: each backend that predicts keeps one. */
  sessions: number;
  /** Connections that have not shown that they do: half of them more than the 511 that Node's listen lets come at once. */
  unauthenticated: number;
  /** How long a client may take to authenticate: a handshake takes milliseconds, over a slow network a second. */
  openingMs: number;
  /** How long a client has to take the last message. */
  farewellMs: number;
  /** With so much on its way to a client, nothing more is taken from it until all has arrived, */
  sendBytes: number;
  /** which may take so long. */
  sendMs: number;
  /** A client that sends on while we compute is read no further than this. */
  readAheadBytes: number;
  /** Requests above this wait for room in `roomBytes`, which all sessions share. */
  longBytes: number;
  roomBytes: number;
  /** How long a long request may take to arrive. */
  arrivalMs: number;
}

export const defaultLimits: BridgeLimits = {
  sessions: 1000,
  unauthenticated: 1024,
  openingMs: 5000,
  farewellMs: 1000,
  sendBytes: MB,
  sendMs: 30_000,
  readAheadBytes: MB,
  longBytes: 64 * 1024,
  roomBytes: 256 * MB,
  arrivalMs: 60_000,
};
