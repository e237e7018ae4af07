import type { Database } from '../../src/db/database.ts';

/** The notices of some statements, in a session of their own. */
export async function noticesOf(db: Database, statements: string): Promise<string[]> {
  const session = await db.connect(() => undefined);
  const notices: string[] = [];
  session.onNotice((notice) => notices.push(notice));
  try {
    await session.query(statements);
  } finally {
    await session.close();
  }
  return notices;
}
