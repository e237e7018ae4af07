-- Studies that start from a model.

-- The version whose weights a study may start from: of one's own model, the deployed one or the last. Weights may
-- tell training data, and a model that starts from them can be exported: the right to use a model is not enough.
create or replace function rafiki._start_version(start text, task text, families text[]) returns bigint
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  model rafiki.model;
  version bigint;
  imported boolean;
  kept text[];
begin
  if start is null then return null; end if;
  select * into model from rafiki.model m where m.name = start;
  if model.id is null then
    raise exception using errcode = 'undefined_object', message = format('model "%s" does not exist', start),
      detail = 'Or you may not use it.', hint = 'select * from rafiki.models; lists yours.';
  elsif not pg_has_role(model.owner, 'usage') then
    raise exception using errcode = 'insufficient_privilege', message = format('the weights of model "%s" are its owner''s', start),
      detail = 'You may use its answers. Weights can tell what it was trained on.',
      hint = format('Ask %s to train the model, or to make it yours: rafiki_set_owner.', model.owner);
  elsif (select t.input from rafiki.task t where t.name = model.task) is distinct from (select t.input from rafiki.task t where t.name = _start_version.task) then
    raise exception using errcode = 'invalid_parameter_value', message = format('model "%s" has other inputs than the study', start),
      detail = format('It is for %s, the study for %s.', model.task, task),
      hint = 'Weights are taken by role and shape: start from a model of the same kind of input.';
  end if;
  select v.id, v.imported_as is not null into version, imported from rafiki.model_version v where v.model_id = model.id
  order by exists (select from rafiki.deployment d where d.version_id = v.id and d.state in ('ready', 'loading')) desc, v.version desc limit 1;
  select array_agg(distinct b.family order by b.family) into kept from rafiki.model_member b where b.version_id = version and b.weights_id is not null;
  if kept is null then
    raise exception using errcode = 'object_not_in_prerequisite_state', message = format('model "%s" has no weights to start from', start),
      detail = case when imported then 'It was imported: a file has no weights by role, as those that a study keeps for others.'
        else format('Its members are of the families %s. Networks of collaborative studies have weights, if they were trained since this version of Rafiki.',
                    (select string_agg(distinct b.family, ', ') from rafiki.model_member b where b.version_id = version)) end,
      hint = case when imported then 'Start from a model that a study of this database has trained.'
        else 'rafiki_knobs(task) lists the families; train that model again with one that is a network.' end;
  elsif not kept && families then
    raise notice using message = format('model "%s" is of other families: %s', start, array_to_string(kept, ', ')),
      detail = 'Only tensors of the same role and shape are taken from it.',
      hint = 'The column warm of rafiki.trials shows how much of each trial''s weights that is.';
  end if;
  return version;
end $$;

create or replace function rafiki._check_start(request rafiki.study, asker regrole) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if request.start_version is not null and not exists (
    select from rafiki.model_version v join rafiki.model m on m.id = v.model_id
    where v.id = request.start_version and pg_has_role(asker::oid, m.owner::oid, 'usage')) then
    raise exception using errcode = 'insufficient_privilege', message = 'the weights that the study would start from are another role''s',
      hint = 'Start from a model of your own.';
  end if;
end $$;

-- As a foreign key with "on delete set null", which dumps do not bear: 9-rights/10-dump.sql.
create or replace function rafiki._forget_start() returns trigger
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  update rafiki.study s set start_version = null where s.start_version = old.id;
  return null;
end $$;

create or replace trigger forget_start after delete on rafiki.model_version
  for each row execute function rafiki._forget_start();
