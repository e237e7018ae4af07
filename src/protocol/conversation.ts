import type { Reply } from './reply.ts';

/** Answers the requests of one session, one after the other. */
export interface Conversation {
  /**
   * Decides on a long request by its first bytes, before the rest is stored. Throws if the server does not accept the
   * request.
   */
  admit(prefix: string, bytes: number): void | Promise<void>;
  answer(request: string): Reply | Promise<Reply>;
  /** Cancels the request in progress. */
  cancel(): void;
  close(): void;
}
