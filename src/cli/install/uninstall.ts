import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Installer } from './install.ts';
import { becomeOwner } from './owner-role.ts';
import { extensionDir } from './script-parts.ts';

/** Removes the SQL side with all studies and models. Changes nothing if objects of other users depend on it. */
export async function uninstall(db: Installer): Promise<void> {
  const sql = readFileSync(path.join(extensionDir, 'uninstall.sql'), 'utf8');
  await db.transaction(async (tx) => {
    await becomeOwner(tx);
    await tx.query(sql);
  });
}
