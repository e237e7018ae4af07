import type { Database } from '../../db/database.ts';
import { EnvironmentUnfit } from '../../errors/errors.ts';
import { withSession } from './with-session.ts';

const INVALID_PASSWORD = '28P01';

/**
 * Reports once, here, why this process, its children or the user's clients cannot connect. `file` stores the role's
 * password; `otherwise`: what else helps.
 */
export async function checkLogin(session: Database, file: string, otherwise = ''): Promise<void> {
  try {
    await withSession(session, (database) => database.start());
  } catch (cause) {
    if ((cause as { code?: string }).code !== INVALID_PASSWORD) throw cause;
    throw new EnvironmentUnfit(`the password of ${new URL(session.url).username} is a different one`, {
      detail: (cause as Error).message,
      hint: `Write it into ${file}, for this user alone${otherwise}.`,
      cause,
    });
  }
}
