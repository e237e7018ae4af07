-- The knobs of a task.

create or replace function rafiki._knobs(task text)
returns table (family text, knob text, grp text, kind text, domain text, initial text)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._check_task(task);
  return query
    select f.name, k.key, k.value ->> 'group', k.value ->> 'kind', rafiki._domain_text(k.value), k.value ->> 'initial'
    from rafiki.family f, jsonb_each(f.knobs) k
    where f.task = _knobs.task
    order by f.name, array_position(array['preprocessing', 'architecture', 'training'], k.value ->> 'group'), k.key;
end $$;

create or replace function rafiki_knobs(task text)
returns table (family text, knob text, grp text, kind text, domain text, initial text)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select * from rafiki._knobs(task) $$;

comment on function rafiki_knobs(text) is $$The model families for a task and their knobs (hyperparameters), for the argument knobs of rafiki_train.

Arguments:
  task: rafiki.task lists them

Result: for each knob its family, name, group (grp: preprocessing, architecture or training), kind, domain, and a value
that works without tuning

Errors:
  42704: no such task

Example:
  select * from rafiki_knobs('sentiment');$$;
