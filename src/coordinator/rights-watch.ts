import type { Queryable } from '../db/database.ts';
import { renewKeys, selectRoleMembers } from '../db/statements/serving/keys.ts';
import type { Logger } from '../runtime/logger.ts';

/**
 * Renews access keys when roles lose rights to models, studies or tokens. A revoked grant changes the key immediately, but Postgres sends
 * no notification when a role loses a membership or superuser. So members are compared with those of the previous
 * check. Changes before the first check are unknown: it renews all keys.
 */
export class RightsWatch {
  readonly #logger: Logger;
  #seen: Map<number, Set<number>> | undefined;
  /** Roles that lost members, and whose models, studies and tokens still need new keys. */
  readonly #pending = new Set<number>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  async check(on: Queryable): Promise<void> {
    const holders = await selectRoleMembers(on);
    if (this.#seen === undefined) this.#pending.add(0);
    for (const { role, members } of holders) {
      const present = new Set(members);
      const lost = [...(this.#seen?.get(role) ?? [])].filter((member) => !present.has(member));
      if (lost.length === 0) continue;
      this.#logger.info({ role, members: lost.length }, 'members lost the rights of a role; its keys are renewed');
      this.#pending.add(role);
    }
    this.#seen = new Map(holders.map(({ role, members }) => [role, new Set(members)]));
    if (this.#pending.size > 0 && (await renewKeys(on, [...this.#pending])) === 0) this.#pending.clear();
  }
}
