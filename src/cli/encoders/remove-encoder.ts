import type { Database } from '../../db/database.ts';
import { deleteEncoder, lockEncoder, selectEncoderStudies } from '../../db/statements/encoders.ts';
import { InvalidState } from '../../errors/errors.ts';

/** Removes an encoder that no open study stands on. Returns false if there is none of that name. */
export const removeEncoder = (database: Database, name: string): Promise<boolean> =>
  database.transaction(async (on) => {
    // a study that begins now has locked it before, and is found, or waits, and does not get it
    if (!(await lockEncoder(on, name))) return false;
    const [open] = await selectEncoderStudies(on, name);
    if (open !== undefined) throw inUse(name, open);
    await deleteEncoder(on, name);
    return true;
  });

const inUse = (name: string, { id, model }: { id: number; model: string }): InvalidState =>
  new InvalidState(`encoder "${name}" is in use`, {
    detail: `Study ${id} trains model "${model}" on it.`,
    hint: 'Wait until the study has ended, or cancel it.',
  });
