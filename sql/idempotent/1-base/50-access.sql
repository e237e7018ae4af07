-- Row-level security. A role sees its own studies, with their trials and reports, its own models, and the
-- models granted to it. Users can only read: functions of rafiki_owner change the rows, and take as proof of
-- the right a key that only roles with that right can see. Members of a role have its rights immediately if
-- they inherit them ('usage'), otherwise after SET ROLE. From PostgreSQL 16 on, a membership may give neither.

do $$
declare
  relation text;
  policy record;
begin
  for policy in select * from pg_policies where schemaname = 'rafiki' loop
    execute format('drop policy %I on rafiki.%I', policy.policyname, policy.tablename);
  end loop;
  foreach relation in array array['study', 'trial', 'trial_round', 'trial_worker', 'report', 'model', 'model_grant', 'model_version',
                                  'model_member', 'deployment', 'import', 'attachment', 'attachment_mark', 'unanswered'] loop
    execute format('alter table rafiki.%I enable row level security', relation);
    execute format('create policy service on rafiki.%I to rafiki_service using (true)', relation);
  end loop;
end $$;

create policy own on rafiki.study for select using (pg_has_role(owner, 'usage'));
create policy own on rafiki.import for select using (pg_has_role(owner, 'usage'));
create policy seen on rafiki.trial for select using (exists (select from rafiki.study s where s.id = study_id));
create policy seen on rafiki.trial_round for select using (exists (select from rafiki.trial t where t.id = trial_id));
create policy seen on rafiki.trial_worker for select using (exists (select from rafiki.trial t where t.id = trial_id));
create policy seen on rafiki.report for select using (exists (select from rafiki.trial t where t.id = trial_id));

create policy own on rafiki.model for select using (pg_has_role(owner, 'usage'));
create policy granted on rafiki.model for select
  using (exists (select from rafiki.model_grant g where g.model_id = id and pg_has_role(g.role, 'usage')));
create policy own on rafiki.model_grant for select using (pg_has_role(owner, 'usage'));
create policy granted on rafiki.model_grant for select using (pg_has_role(role, 'usage'));

create policy seen on rafiki.model_version for select using (exists (select from rafiki.model m where m.id = model_id));
create policy seen on rafiki.model_member for select
  using (exists (select from rafiki.model_version v where v.id = version_id));
create policy seen on rafiki.deployment for select using (exists (select from rafiki.model m where m.id = model_id));

-- the owner of the table and the owner of the model see an attachment
create policy own on rafiki.attachment for select
  using (exists (select from pg_class c where c.oid = target and pg_has_role(c.relowner, 'usage')));
create policy model on rafiki.attachment for select
  using (exists (select from rafiki.model m where m.id = model_id and pg_has_role(m.owner, 'usage')));
create policy seen on rafiki.attachment_mark for select using (exists (select from rafiki.attachment a where a.id = attachment_id));
create policy seen on rafiki.unanswered for select using (exists (select from rafiki.attachment a where a.id = attachment_id));

-- Policies do not protect secrets against comparisons. LEAKPROOF operators, such as those of uuid, text and
-- bytea, and subscripts of arrays, are evaluated before a policy or a view filters the row, and the row counts of
-- EXPLAIN ANALYZE then show whether a hidden value matched. So secrets are in tables or columns that no user may
-- read (9-rights/30-privileges.sql). Roles that may know them see them through these views, as the result of a
-- function that is not leakproof, to_jsonb, or of a volatile CASE. In a view current_user is the querying role.
create or replace view rafiki.model_access with (security_barrier) as
select m.id, m.name, to_jsonb(k.key) as key
from rafiki.model m join rafiki.model_key k on k.model_id = m.id
where pg_has_role(m.owner, 'usage')
  or exists (select from rafiki.model_grant g where g.model_id = m.id and pg_has_role(g.role, 'usage'));
comment on view rafiki.model_access is 'The access keys of the models that you may use; predictions send them to the server';

create or replace view rafiki.model_ownership with (security_barrier) as
select m.id, to_jsonb(k.owner_key) as key
from rafiki.model m join rafiki.model_key k on k.model_id = m.id
where pg_has_role(m.owner, 'usage');
comment on view rafiki.model_ownership is 'The keys of your own models: a role that can see a key may change the model';

-- The columns of data depend on a volatile function: otherwise comparisons with leakproof operators
-- could be made before the right is checked, and EXPLAIN ANALYZE would show how many rows they removed.
create or replace view rafiki.trained_inputs with (security_barrier) as
select m.id as model_id, v.version, case when clock_timestamp() is null then null
       when exists (select from rafiki.model_member a where a.version_id = v.id and a.refit_params_id is not null)
       then r.refit_trained else r.trained end as trained
from rafiki.model m join rafiki.model_version v on v.model_id = m.id
join rafiki.model_member b on b.version_id = v.id and b.rank = 0 join rafiki.trial t on t.id = b.trial_id
join rafiki.validation r on r.study_id = v.study_id and r.hash = t.validation_hash
where pg_has_role(m.owner, 'usage');
comment on view rafiki.trained_inputs is 'Hashes of the inputs that the versions of your own models were trained on';

create or replace view rafiki.study_ownership with (security_barrier) as
select s.id, to_jsonb(k.key) as key, to_jsonb(s.skipped_example) as skipped_example
from rafiki.study s join rafiki.study_key k on k.study_id = s.id
where pg_has_role(s.owner, 'usage');
comment on view rafiki.study_ownership is
  'The keys of your own studies: a role that can see a key may cancel the study; and the first row that was left out';

create or replace view rafiki.version_classes with (security_barrier) as
select v.id, case when clock_timestamp() is not null then v.classes end as classes
from rafiki.model_version v join rafiki.model_access m on m.id = v.model_id;
comment on view rafiki.version_classes is 'The classes of each version of the models that you may use';
