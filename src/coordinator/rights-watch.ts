import type { Queryable } from '../db/database.ts';
import { renewKeys, selectHolders } from '../db/statements/keys.ts';
import type { Logger } from '../runtime/logger.ts';

/**
 * Who has lost a right to models has known their access keys. A revoked grant changes the key at once; of a role that lost its
 * membership in another one, or was a superuser, nobody tells. So the members are compared with those of the last look. What
 * happened before the first look is not known: all keys are renewed then.
 */
export class RightsWatch {
  readonly #logger: Logger;
  #seen: Map<number, Set<number>> | undefined;
  /** Roles that lost somebody, whose models do not all have new keys yet. */
  readonly #open = new Set<number>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  async look(on: Queryable): Promise<void> {
    const holders = await selectHolders(on);
    if (this.#seen === undefined) this.#open.add(0);
    for (const { role, members } of holders) {
      const present = new Set(members);
      const lost = [...(this.#seen?.get(role) ?? [])].filter((member) => !present.has(member));
      if (lost.length === 0) continue;
      this.#logger.info({ role, members: lost.length }, 'members lost a right to models, whose keys change');
      this.#open.add(role);
    }
    this.#seen = new Map(holders.map(({ role, members }) => [role, new Set(members)]));
    if (this.#open.size > 0 && (await renewKeys(on, [...this.#open])) === 0) this.#open.clear();
  }
}
