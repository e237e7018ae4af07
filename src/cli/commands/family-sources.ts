import type { FamilySource } from '../../families/sources.ts';
import type { SettingValues } from '../settings/read.ts';

export const familySettings = ['families', 'familyCommand', 'path'] as const;

/** The families that the operator of a worker gives it; commands are asked for theirs. Throws for a family that cannot be used. */
export async function familySources({
  families = [],
  familyCommand = [],
  path,
}: SettingValues<(typeof familySettings)[number]>): Promise<FamilySource[]> {
  if (families.length + familyCommand.length === 0) return [];
  const { describeCommand, loadFamilies } = await import('../../families/sources.ts');
  const { addFamilies } = await import('../../models/registry.ts');
  const modules = families.map((file): FamilySource => ({ kind: 'module', file }));
  const described = await Promise.all(familyCommand.map((command) => describeCommand({ command, path })));
  const sources = [...modules, ...described];
  addFamilies(await loadFamilies(sources));
  return sources;
}
