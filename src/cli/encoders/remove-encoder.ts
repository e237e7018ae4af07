import type { Database } from '../../db/database.ts';
import { deleteEncoder, lockEncoder, selectEncoderModels, selectEncoderStudies } from '../../db/statements/encoders.ts';
import { InvalidState } from '../../errors/errors.ts';

/** Removes an encoder that no open study stands on. Returns the models that do; undefined if there is no encoder of that name. */
export const removeEncoder = (database: Database, name: string): Promise<string[] | undefined> =>
  database.transaction(async (on) => {
    // a study that begins now has locked it before, and is found, or waits, and does not get it
    if (!(await lockEncoder(on, name))) return undefined;
    const [open] = await selectEncoderStudies(on, name);
    if (open !== undefined) throw inUse(name, open);
    const models = await selectEncoderModels(on, name);
    await deleteEncoder(on, name);
    return models;
  });

const MAX_NAMES = 20;

/** What it means for models that an encoder was removed. */
export function removedText(name: string, models: readonly string[]): string {
  const removed = `encoder "${name}" is removed`;
  if (models.length === 0) return removed;
  const more = models.length > MAX_NAMES ? ` and ${models.length - MAX_NAMES} more` : '';
  return [
    `${removed}; models that stand on it stay: ${models.slice(0, MAX_NAMES).join(', ')}${more}`,
    'What is exported of them has no weights of the encoder, and can be imported only where the same encoder is added again.',
  ].join('\n');
}

const inUse = (name: string, { id, model }: { id: number; model: string }): InvalidState =>
  new InvalidState(`encoder "${name}" is in use`, {
    detail: `Study ${id} trains model "${model}" on it.`,
    hint: 'Wait until the study has ended, or cancel it.',
  });
