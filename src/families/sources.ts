import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Family } from '../models/family.ts';
import { type CommandPlace, commandFamily } from './command/command-family.ts';
import { CommandProcess } from './command/command-process.ts';
import { type CommandDescription, descriptionOf } from './command/description.ts';
import { PROTOCOL, wrong } from './command/wrong-message.ts';
import { importModule } from './import-module.ts';
import { checkedFamilies } from './module-families.ts';

/** Where families come from: a module, or a command that has described its family. Plain data, which training processes get. */
export type FamilySource =
  | { kind: 'module'; file: string }
  | ({ kind: 'command'; description: CommandDescription } & CommandPlace);

/** A command that imports a large library, on a busy machine. */
const DESCRIBE_MS = 120_000;

/** Asks a command for its family. Throws {@link FamilyFailed}. */
export async function describeCommand(place: CommandPlace): Promise<FamilySource> {
  const folder = await mkdtemp(path.join(tmpdir(), 'rafiki-family-'));
  const process = new CommandProcess({ ...place, folder, threads: 1 });
  try {
    process.send({ rafiki: PROTOCOL, do: 'describe' });
    const message = await process.receive({ limitMs: DESCRIBE_MS, what: 'its description' });
    if (message === null) throw wrong('name', message, 'described');
    return { kind: 'command', ...place, description: descriptionOf(message) };
  } finally {
    process.kill();
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** The families of some sources, in their order. Throws {@link FamilyFailed} for a module without families. */
export async function loadFamilies(sources: readonly FamilySource[]): Promise<Family[]> {
  const loaded: Family[] = [];
  for (const source of sources) {
    if (source.kind === 'command') loaded.push(commandFamily(source.description, source));
    else loaded.push(...checkedFamilies(source.file, await importModule(source.file)));
  }
  return loaded;
}
