-- Who sees what. A study belongs to the role that made it, and so do its trials and reports; a model also to whom it was
-- granted. Everybody only reads: what changes rows are functions of rafiki_owner, and their proof of a right is a key which only those
-- who have the right can see. A member of a role has what its privileges would give: at once where it inherits ('usage'), and else after
-- SET ROLE. From PostgreSQL 16 on a membership may give neither.

do $$
declare
  relation text;
  policy record;
begin
  for policy in select * from pg_policies where schemaname = 'rafiki' loop
    execute format('drop policy %I on rafiki.%I', policy.policyname, policy.tablename);
  end loop;
  foreach relation in array array['study', 'trial', 'report', 'model', 'model_grant', 'model_version', 'model_member',
                                  'deployment', 'attachment', 'attachment_mark', 'unanswered'] loop
    execute format('alter table rafiki.%I enable row level security', relation);
    execute format('create policy service on rafiki.%I to rafiki_service using (true)', relation);
  end loop;
end $$;

create policy own on rafiki.study for select using (pg_has_role(owner, 'usage'));
create policy seen on rafiki.trial for select using (exists (select from rafiki.study s where s.id = study_id));
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

-- what is attached concerns the owner of the table, and of the model
create policy own on rafiki.attachment for select
  using (exists (select from pg_class c where c.oid = target and pg_has_role(c.relowner, 'usage')));
create policy model on rafiki.attachment for select
  using (exists (select from rafiki.model m where m.id = model_id and pg_has_role(m.owner, 'usage')));
create policy seen on rafiki.attachment_mark for select using (exists (select from rafiki.attachment a where a.id = attachment_id));
create policy seen on rafiki.unanswered for select using (exists (select from rafiki.attachment a where a.id = attachment_id));

-- A policy does not hide what can be compared: what EXPLAIN ANALYZE says of a comparison tells of rows that a policy or a view hides, since
-- operators that give nothing away (LEAKPROOF), as those of uuid, text and bytea, and elements of arrays, are looked at before it is
-- decided who may see a row. So what is a secret is in tables or columns that nobody may read (9-rights/30-privileges.sql), and those who may
-- know it see it through these views, made by a function that is not leakproof: to_jsonb, or || with an empty array, which costs nothing.
-- In a view the current role is that of who asks.
create or replace view rafiki.model_access with (security_barrier) as
select m.id, m.name, to_jsonb(k.key) as key
from rafiki.model m join rafiki.model_key k on k.model_id = m.id
where pg_has_role(m.owner, 'usage')
  or exists (select from rafiki.model_grant g where g.model_id = m.id and pg_has_role(g.role, 'usage'));
comment on view rafiki.model_access is 'The access keys, which predictions state to the server, of the models that you may use';

create or replace view rafiki.model_ownership with (security_barrier) as
select m.id, to_jsonb(k.owner_key) as key
from rafiki.model m join rafiki.model_key k on k.model_id = m.id
where pg_has_role(m.owner, 'usage');
comment on view rafiki.model_ownership is 'The keys of your own models: who can see one may change the model';

create or replace view rafiki.trained_inputs with (security_barrier) as
select m.id as model_id, v.version, r.trained || '{}' as trained
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
  'The keys of your own studies: who can see one may cancel the study; and the first row that was left out';

create or replace view rafiki.version_classes with (security_barrier) as
select v.id, v.classes || '{}' as classes
from rafiki.model_version v join rafiki.model_access m on m.id = v.model_id;
comment on view rafiki.version_classes is 'The classes of each version of the models that you may use';
