import type { Queryable } from '../../src/db/database.ts';

export interface SqlFailure {
  code: string;
  message: string;
  detail: string | null;
  hint: string | null;
}

/** How a statement fails, as the client sees it. */
export async function failureOf(db: Queryable, sql: string, values: unknown[] = []): Promise<SqlFailure> {
  try {
    await db.query(sql, values);
  } catch (error) {
    const { code, message, detail = null, hint = null } = error as SqlFailure;
    return { code, message, detail, hint };
  }
  throw new Error(`did not fail: ${sql}`);
}
