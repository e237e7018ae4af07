-- Who sees what. A study belongs to the role that made it, and so do its trials and reports; a model also to whom it was
-- granted. Everybody only reads: what changes rows are functions of rafiki_owner, and their proof of a right is a key that stands
-- in a row which only those who have the right can see.

do $$
declare
  relation text;
  policy record;
begin
  for policy in select * from pg_policies where schemaname = 'rafiki' loop
    execute format('drop policy %I on rafiki.%I', policy.policyname, policy.tablename);
  end loop;
  foreach relation in array array['study', 'trial', 'report', 'model', 'model_grant', 'model_version', 'model_member',
                                  'deployment', 'predict_stat', 'params_tensor', 'blob', 'ownership'] loop
    execute format('alter table rafiki.%I enable row level security', relation);
    execute format('create policy service on rafiki.%I to rafiki_service using (true)', relation);
  end loop;
end $$;

create policy own on rafiki.study for select using (pg_has_role(owner, 'member'));
create policy seen on rafiki.trial for select using (exists (select from rafiki.study s where s.id = study_id));
create policy seen on rafiki.report for select using (exists (select from rafiki.trial t where t.id = trial_id));

create policy own on rafiki.model for select using (pg_has_role(owner, 'member'));
create policy granted on rafiki.model for select
  using (exists (select from rafiki.model_grant g where g.model_id = id and pg_has_role(g.role, 'member')));
create policy own on rafiki.ownership for select
  using (exists (select from rafiki.model m where m.id = model_id and pg_has_role(m.owner, 'member')));

create policy own on rafiki.model_grant for select using (pg_has_role(owner, 'member'));
create policy granted on rafiki.model_grant for select using (pg_has_role(role, 'member'));

create policy seen on rafiki.model_version for select using (exists (select from rafiki.model m where m.id = model_id));
create policy seen on rafiki.model_member for select
  using (exists (select from rafiki.model_version v where v.id = version_id));
create policy seen on rafiki.deployment for select using (exists (select from rafiki.model m where m.id = model_id));
-- the weights of a model are for its owner: a grant is for predictions
create policy own on rafiki.params_tensor for select using (exists (
  select from rafiki.model_member b join rafiki.model_version v on v.id = b.version_id join rafiki.model m on m.id = v.model_id
  where b.params_id = params_tensor.params_id and pg_has_role(m.owner, 'member')));
create policy own on rafiki.blob for select using (exists (select from rafiki.params_tensor t where t.hash = blob.hash));
-- and so are its counters: those of the answers that were known tell whether somebody had asked the same before
create policy own on rafiki.predict_stat for select
  using (exists (select from rafiki.model m where m.id = model_id and pg_has_role(m.owner, 'member')));
