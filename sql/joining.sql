-- Whoever installs works as a member of rafiki_owner. Who is none, but may make himself one, is that for this transaction only:
-- 9-rights/30-privileges.sql ends it. Where the role is not there yet 0002-roles.sql makes it.
do $$
begin
  if to_regrole('rafiki_owner') is not null
     and not pg_has_role('rafiki_owner', 'usage') then
    execute format('grant rafiki_owner to %I', current_user);
    perform set_config('rafiki.joined', 'on', true);
  end if;
exception when insufficient_privilege then
  raise exception using errcode = 'insufficient_privilege', message = 'only a member of rafiki_owner may install or upgrade rafiki',
    detail = sqlerrm, hint = 'An administrator runs docs/install-managed.sql, before an upgrade too; its first lines say how.';
end $$;
