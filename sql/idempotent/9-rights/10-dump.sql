-- Under CREATE EXTENSION: the tables that a dump must include. Not task, family, advisor, metric and the keys, which
-- the installation and a trigger fill in; nor the bridge with its secret, the counters and the rounds of workers,
-- which processes create again. Their foreign keys must not go round in a circle: a dump has them one after the other.
do $$
declare
  relation text;
begin
  if exists (select from pg_extension where extname = 'rafiki') then
    foreach relation in array array['process', 'study', 'object', 'blob', 'params', 'params_tensor', 'trial', 'trial_variant', 'trial_start', 'validation',
                                    'report', 'model', 'model_grant', 'encoder', 'encoder_grant', 'model_version', 'model_member', 'deployment', 'quota', 'attachment',
                                    'attachment_mark', 'token', 'import', 'import_part'] loop
      perform pg_extension_config_dump(format('rafiki.%I', relation)::regclass, case relation
        -- never the OID of a dropped role: where the dump is restored it may be a different role
        when 'encoder_grant' then 'where exists (select from pg_catalog.pg_roles r where r.oid operator(pg_catalog.=) role)'
        when 'token' then 'where exists (select from pg_catalog.pg_roles r where r.oid operator(pg_catalog.=) owner)'
        when 'import' then 'where exists (select from pg_catalog.pg_roles r where r.oid operator(pg_catalog.=) owner)'
        when 'import_part' then 'where exists (select from rafiki.import i join pg_catalog.pg_roles r on r.oid operator(pg_catalog.=) i.owner '
          'where i.id operator(pg_catalog.=) import_id)'
        when 'model_grant' then 'where exists (select from pg_catalog.pg_roles r where r.oid operator(pg_catalog.=) role)'
        when 'attachment' then 'where exists (select from pg_catalog.pg_class c where c.oid operator(pg_catalog.=) target '
          'and c.relowner operator(pg_catalog.=) owner)'
        else '' end);
      perform pg_extension_config_dump(s.name::regclass, '')
      from (select pg_get_serial_sequence(format('rafiki.%I', relation), a.attname) as name from pg_attribute a
            where a.attrelid = format('rafiki.%I', relation)::regclass and a.attidentity <> '') s;
    end loop;
  end if;
end $$;
