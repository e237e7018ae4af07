const MB = 2 ** 20;

/** Limits on connections, memory and time. */
export interface BridgeLimits {
  /** Authenticated connections: each backend that predicts keeps one. The setting bridgeSessions; _open_bridge() knows the refusal by its message. */
  sessions: number;
  /** Unauthenticated connections. Half of them are more than the backlog of Node's listen, 511. */
  unauthenticated: number;
  /** Deadline of authentication: a handshake takes milliseconds, over a slow network a second. */
  handshakeMs: number;
  /** Deadline for the client to read the last message. */
  closingMs: number;
  /** No further request is read while more than this is in the client's send buffer, */
  sendBytes: number;
  /** for at most this long. */
  sendMs: number;
  /** Maximum bytes read from a client while its request is computed. */
  pipelinedBytes: number;
  /** Longer requests wait for memory. All sessions share `longRequestMemoryBytes`. */
  longBytes: number;
  longRequestMemoryBytes: number;
  /** Deadline for all of a long request to arrive; while it waits for memory, twice as long. */
  longRequestMs: number;
}

export const defaultLimits: BridgeLimits = {
  sessions: 1000,
  unauthenticated: 1024,
  handshakeMs: 5000,
  closingMs: 1000,
  sendBytes: MB,
  sendMs: 30_000,
  pipelinedBytes: MB,
  longBytes: 64 * 1024,
  longRequestMemoryBytes: 256 * MB,
  longRequestMs: 60_000,
};
