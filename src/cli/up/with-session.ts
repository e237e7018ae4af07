import type { Database } from '../../db/database.ts';

/** Runs `work`, and closes the session whatever happens. */
export async function withSession(session: Database, work: (session: Database) => Promise<unknown>): Promise<void> {
  try {
    await work(session);
  } finally {
    await session.stop();
  }
}
