import { StatementRefused } from '../../errors/errors.ts';
import type { SignedIn } from '../sign-in/signed-in.ts';

/**
 * The oid of a table or view. A name without a schema is looked for in the schema of the role's name, then in "public": sessions of
 * the HTTP server have no search path of the role's own, in which others could have placed operators.
 */
export async function relationOf(role: SignedIn, name: string): Promise<number> {
  const [found] = await role.rows<{ oid: number | null }>(
    `select coalesce(to_regclass(format('%I.%I', coalesce(n.s, current_user), n.t)),
                     case when n.s is null then to_regclass(format('public.%I', n.t)) end)::oid::bigint as oid
     from (select case when cardinality(p) > 1 then p[1] end as s, p[cardinality(p)] as t from parse_ident($1) p where cardinality(p) <= 2) n`,
    [name],
  );
  if (found?.oid != null) return found.oid;
  throw new StatementRefused('42P01', `relation "${name}" does not exist`, {
    hint: 'GET /v1/datasets lists what you may read. A table that is neither in "public" nor in the schema of your role needs its schema: schema.table.',
  });
}
