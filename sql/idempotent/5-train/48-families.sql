-- Families from elsewhere: workers have them, and say so.

-- Running workers that have a family. Those of Rafiki itself are not counted.
create or replace function rafiki._workers_with(family text) returns int
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select count(*)::int from rafiki.worker_family w join rafiki.process p on p.id = w.process_id
  where w.name = family and rafiki._is_alive(p.seen_at)
$$;

-- Says that a worker has a family; knobs: for each task its knobs. Only the service may call it.
create or replace function rafiki._tell_family(process bigint, name text, title text, min_trials int, needs_encoder boolean, knobs jsonb)
returns void
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  most constant int := 100;
  kept_for constant interval := '1 day';
begin
  if name !~ '^[a-z][a-z0-9_]{0,62}$' or length(title) not between 1 and 200 or octet_length(knobs::text) > @max_argument_bytes@ then
    raise exception using errcode = 'invalid_parameter_value', message = format('family "%s" is described wrongly', left(name, 100)),
      detail = 'Its name has other characters than a-z, 0-9 and _, or more than 63; or its title or its knobs are too long.',
      hint = 'Change what the module or the command says of itself.';
  end if;
  lock table rafiki.worker_family in share row exclusive mode; -- two workers could describe two families of one name
  if exists (select from rafiki.family f where f.name = _tell_family.name and not f.of_workers) then
    raise exception using errcode = 'duplicate_object', message = format('family "%s" exists already', name),
      detail = 'Rafiki has one of this name.', hint = 'Give yours another name, in its module or its command.';
  end if;
  if rafiki._workers_with(name) > 0
    and (select jsonb_object_agg(f.task, jsonb_build_array(f.title, f.min_trials, f.needs_encoder, f.knobs)) from rafiki.family f where f.name = _tell_family.name)
      is distinct from (select jsonb_object_agg(k.key, jsonb_build_array(title, min_trials, needs_encoder, k.value)) from jsonb_each(knobs) k) then
    raise exception using errcode = 'duplicate_object', message = format('a running worker has another family "%s"', name),
      detail = 'Its title, its tasks or its knobs differ.',
      hint = 'Give yours another name; or, if it is a new version, stop the workers that have the old one (rafiki.families lists them): they count as running for @alive_seconds@ s after their last heartbeat.';
  end if;
  delete from rafiki.family f
  where f.of_workers and f.told_at < now() - kept_for and not exists (select from rafiki.worker_family w where w.name = f.name)
    and not exists (select from rafiki.study s where s.state in ('queued', 'running') and f.name = any (s.families));
  if (select count(distinct f.name) from rafiki.family f where f.of_workers and f.name <> _tell_family.name) >= most then
    raise exception using errcode = 'configuration_limit_exceeded', message = 'workers have too many families',
      detail = format('There are %s.', most), hint = format('One that no worker has is forgotten after %s.', kept_for);
  end if;
  delete from rafiki.family f where f.name = _tell_family.name;
  insert into rafiki.family (name, task, title, knobs, of_workers, min_trials, needs_encoder, told_at)
  select _tell_family.name, k.key, _tell_family.title, k.value, true, _tell_family.min_trials, _tell_family.needs_encoder, now()
  from jsonb_each(knobs) k;
  insert into rafiki.worker_family (process_id, name) values (process, name) on conflict do nothing;
end $$;

-- Warns of the families of a study that only workers have, if none is running.
create or replace function rafiki._warn_of_families(families text[]) returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  missing text := (select string_agg(distinct f.name, ', ') from rafiki.family f
                   where f.name = any (families) and f.of_workers and rafiki._workers_with(f.name) = 0);
begin
  if missing is not null then
    raise warning using message = format('no running worker has family %s', missing),
      detail = 'Its trials wait until one is.', hint = 'Start one with: rafiki worker --families FILE, or --family-command COMMAND.';
  end if;
end $$;
