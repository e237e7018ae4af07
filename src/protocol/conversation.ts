import type { Reply } from './reply.ts';

/** Answers the requests of one session, one after the other. */
export interface Conversation {
  /**
   * A long request is coming, of which only the first bytes are there: throws where it is not for this server to take. Nothing
   * of it is kept before that is known.
   */
  admit(start: string, bytes: number): void | Promise<void>;
  answer(request: string): Reply | Promise<Reply>;
  /** The request that is being answered is not wanted any more. */
  cancel(): void;
  close(): void;
}
