-- The installing role must be a member of rafiki_owner. If it is not, but may grant itself the membership, it gets it for this transaction only:
-- 9-rights/30-privileges.sql revokes it. If rafiki_owner does not exist yet, 0002-roles.sql creates it.
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
