import type { Queryable } from '../../src/db/database.ts';

/** Sorted, and what is null is what holds then. */
const acl = (column: string, kind: string, owner: string): string => `
  (select string_agg(concat_ws(' ', case a.grantee when 0 then 'everybody' else a.grantee::regrole::text end, a.privilege_type), ', '
     order by a.grantee::regrole::text, a.privilege_type) from aclexplode(coalesce(${column}, acldefault('${kind}', ${owner}))) a)`;

const ours = `('rafiki'::regnamespace, 'rafiki_reader'::regnamespace)`;

/** All that an installation is, each thing a line. Not what its rows are. */
const lines = `
  select concat_ws(' | ', p.oid::regprocedure, p.pronamespace::regnamespace, p.proowner::regrole, ${acl('p.proacl', 'f', 'p.proowner')},
           pg_get_functiondef(p.oid), obj_description(p.oid, 'pg_proc')) as line
  from pg_proc p where p.pronamespace in ${ours} or p.proname like 'rafiki\\_%'
  union all
  select concat_ws(' | ', c.relkind, c.oid::regclass, c.relowner::regrole, ${acl(`c.relacl`, 'r', 'c.relowner')},
           c.relrowsecurity, c.relforcerowsecurity, c.reloptions, c.relreplident, obj_description(c.oid, 'pg_class'))
  from pg_class c where c.relnamespace in ${ours} and c.relkind in ('r', 'v', 'i', 'c')
  union all
  select concat_ws(' | ', 'sequence', c.oid::regclass, c.relowner::regrole, c.relacl)
  from pg_class c where c.relnamespace in ${ours} and c.relkind = 'S'
  union all
  select concat_ws(' | ', 'column', a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
           a.attgenerated, pg_get_expr(d.adbin, d.adrelid), ${acl('a.attacl', 'c', 'c.relowner')},
           col_description(a.attrelid, a.attnum))
  from pg_attribute a join pg_class c on c.oid = a.attrelid left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
  where c.relnamespace in ${ours} and c.relkind in ('r', 'v', 'c') and a.attnum > 0 and not a.attisdropped
  union all
  select concat_ws(' | ', 'columns', c.oid::regclass, string_agg(a.attname, ', ' order by a.attnum))
  from pg_attribute a join pg_class c on c.oid = a.attrelid
  where c.relnamespace in ${ours} and c.relkind in ('r', 'v', 'c') and a.attnum > 0 and not a.attisdropped group by c.oid
  union all
  select concat_ws(' | ', 'constraint', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid), c.convalidated)
  from pg_constraint c where c.connamespace in ${ours}
  union all
  select concat_ws(' | ', 'index', pg_get_indexdef(i.indexrelid), i.indisvalid)
  from pg_index i join pg_class c on c.oid = i.indexrelid where c.relnamespace in ${ours}
  union all
  select concat_ws(' | ', 'view', c.oid::regclass, pg_get_viewdef(c.oid)) from pg_class c
  where c.relnamespace in ${ours} and c.relkind = 'v'
  union all
  select concat_ws(' | ', 'policy', tablename, policyname, permissive, roles, cmd, qual, with_check) from pg_policies
  where schemaname = 'rafiki'
  union all
  select concat_ws(' | ', 'trigger', pg_get_triggerdef(t.oid), t.tgenabled) from pg_trigger t join pg_class c on c.oid = t.tgrelid
  where c.relnamespace in ${ours} and not t.tgisinternal
  union all
  select concat_ws(' | ', 'schema', n.nspname, n.nspowner::regrole, ${acl('n.nspacl', 'n', 'n.nspowner')},
           obj_description(n.oid, 'pg_namespace'))
  from pg_namespace n where n.nspname in ('rafiki', 'rafiki_reader', 'rafiki_dblink')
  union all
  select concat_ws(' | ', 'type', t.oid::regtype, t.typowner::regrole, ${acl('t.typacl', 'T', 't.typowner')})
  from pg_type t where t.typnamespace in ${ours}
  union all
  select concat_ws(' | ', 'wrapper', w.fdwname, ${acl('w.fdwacl', 'F', 'w.fdwowner')}) from pg_foreign_data_wrapper w
  union all
  select concat_ws(' | ', 'extension', e.extname, e.extversion, e.extnamespace::regnamespace, pg_describe_object(d.classid, d.objid, 0))
  from pg_extension e left join pg_depend d on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid and d.deptype = 'e'
  where e.extname = 'rafiki'
  union all
  select concat_ws(' | ', 'dumped', t::regclass) from pg_extension e, unnest(e.extconfig) t where e.extname = 'rafiki'
  union all
  select concat_ws(' | ', 'migration', name) from rafiki.migration`;

export async function catalogue(on: Queryable): Promise<string[]> {
  return (await on.query<{ line: string }>(lines)).map(({ line }) => line).sort();
}
