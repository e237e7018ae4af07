-- Who sees what. A study belongs to the role that made it, and so do its trials and reports; a model also to whom it was
-- granted. The API works with the caller's rights, so these policies are all there is; our processes own the tables.

do $$
declare
  relation text;
  policy record;
begin
  for policy in select * from pg_policies where schemaname = 'rafiki' loop
    execute format('drop policy %I on rafiki.%I', policy.policyname, policy.tablename);
  end loop;
  foreach relation in array array['study', 'trial', 'report', 'model', 'model_grant', 'model_version', 'model_member',
                                  'deployment', 'predict_stat', 'params_tensor', 'blob'] loop
    execute format('alter table rafiki.%I enable row level security', relation);
  end loop;
end $$;

create policy own on rafiki.study using (pg_has_role(owner, 'member'));
-- the source is read with the owner's rights: nobody may name another
create policy self on rafiki.study as restrictive for insert with check (owner = current_user::regrole);

create policy seen on rafiki.trial for select using (exists (select from rafiki.study s where s.id = study_id));
create policy seen on rafiki.report for select using (exists (select from rafiki.trial t where t.id = trial_id));

create policy own on rafiki.model using (pg_has_role(owner, 'member'));
create policy granted on rafiki.model for select
  using (exists (select from rafiki.model_grant g where g.model_id = id and pg_has_role(g.role, 'member')));

create policy own on rafiki.model_grant using (pg_has_role(owner, 'member'));
create policy granted on rafiki.model_grant for select using (pg_has_role(role, 'member'));

create policy seen on rafiki.model_version for select using (exists (select from rafiki.model m where m.id = model_id));
create policy seen on rafiki.model_member for select
  using (exists (select from rafiki.model_version v where v.id = version_id));
-- the weights of a model are for its owner: a grant is for predictions
create policy own on rafiki.params_tensor for select using (exists (
  select from rafiki.model_member b join rafiki.model_version v on v.id = b.version_id join rafiki.model m on m.id = v.model_id
  where b.params_id = params_tensor.params_id and pg_has_role(m.owner, 'member')));
create policy own on rafiki.blob for select using (exists (select from rafiki.params_tensor t where t.hash = blob.hash));
create policy seen on rafiki.predict_stat for select using (exists (select from rafiki.model m where m.id = model_id));

create policy seen on rafiki.deployment for select using (exists (select from rafiki.model m where m.id = model_id));
create policy load on rafiki.deployment for insert with check (
  state = 'loading' and exists (
    select from rafiki.model m join rafiki.model_version v on v.model_id = m.id
    where m.id = deployment.model_id and v.id = version_id and pg_has_role(m.owner, 'member')));
create policy retire on rafiki.deployment for update
  using (exists (select from rafiki.model m where m.id = model_id and pg_has_role(m.owner, 'member')))
  with check (state = 'retired');

-- A version joins the model of its study's name, so a study may only name a model of its own owner. A trigger with the
-- owner's eyes, because the caller does not see other people's models; it says no more than that the name is taken.
create or replace function rafiki._guard_model_name() returns trigger
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (select from rafiki.model m where m.name = new.model and not pg_has_role(new.owner, m.owner, 'member'))
     or exists (select from rafiki.study s where s.model = new.model and s.state in ('queued', 'running')
                and not pg_has_role(new.owner, s.owner, 'member')) then
    raise exception using errcode = 'duplicate_object',
      message = format('the model name "%s" is taken by another role', new.model),
      hint = 'Choose another one with model => ''name''.';
  end if;
  return new;
end $$;

create or replace trigger guard_model_name before insert on rafiki.study
  for each row execute function rafiki._guard_model_name();
