-- The encoders that studies of a role have for a task: those for its kind of
-- input that the role may use, the one added last first. Null if there are none.
create or replace function rafiki._encoders_for(role regrole, task text) returns bigint[]
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select array_agg(own.id order by own.id desc) from (
    select e.id from rafiki.encoder e join rafiki.task t on t.input = e.input and t.output <> 'boxes'
    where t.name = _encoders_for.task and (e.is_public or exists (
      select from rafiki.encoder_grant g
      where g.encoder_id = e.id and pg_has_role(_encoders_for.role::oid, g.role::oid, 'usage')))
    order by e.id desc limit @max_knob_values@) own
$$;

-- Gives a study that begins its encoders. Their rows are locked as by a foreign key, which an array cannot have: who
-- removes an encoder waits for this transaction, and then finds the study; one that was just removed is not among them.
create or replace function rafiki._choose_encoders(study bigint) returns void
language sql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
  with own as materialized (
    select i.id, i.place from rafiki.study s cross join lateral unnest(rafiki._encoders_for(s.owner, s.task)) with ordinality i (id, place)
    where s.id = _choose_encoders.study
  ), held as materialized (
    select e.id from rafiki.encoder e where e.id in (select o.id from own o) for key share)
  update rafiki.study s set encoder_ids = (select array_agg(h.id order by o.place) from own o join held h on h.id = o.id)
  where s.id = _choose_encoders.study
$$;

create or replace function rafiki._check_encoder(request rafiki.study, asker regrole) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  given constant jsonb := request.knobs -> 'encoder';
  usable constant text[] := array(
    select e.name from unnest(rafiki._encoders_for(asker, request.task)) with ordinality i (id, place) join rafiki.encoder e on e.id = i.id order by i.place);
  named constant text[] := array(
    select v #>> '{}' from jsonb_array_elements(case when jsonb_typeof(given -> 'list') = 'array' then given -> 'list' else jsonb_build_array(given) end) v
    where given is not null);
  unknown constant text := (select n from unnest(named) n where n <> all (usable) limit 1);
  -- all that it names must be trainable, or one of those that it may use
  stuck constant text := (
    select e.name from rafiki.encoder e where e.name = any (named || usable) and e.obstacle is not null
      and (e.name = any (named) or named = '{}' and not exists (select from rafiki.encoder o where o.name = any (usable) and o.obstacle is null))
    order by e.id desc limit 1);
begin
  if cardinality(usable) = 0 and request.families && '{encoder,encoder_tuned}' then
    raise exception using errcode = 'undefined_object', message = 'there is no encoder for the family "encoder"',
      detail = format('Role %s may use none whose input is %s.', asker, (select t.input from rafiki.task t where t.name = request.task)),
      hint = 'An administrator adds one with: rafiki encoder add NAME …; select * from rafiki.encoders shows those that there are.';
  elsif unknown is not null then
    raise exception using errcode = 'undefined_object', message = format('there is no encoder "%s" for this study', unknown),
      detail = format('Role %s may use for %s: %s.', asker, request.task, coalesce(nullif(array_to_string(usable, ', '), ''), 'none')),
      hint = 'select * from rafiki.encoders shows those that there are; an administrator adds more with: rafiki encoder add NAME …';
  elsif 'encoder_tuned' = any (request.families) and stuck is not null then
    raise exception using errcode = 'feature_not_supported', message = format('encoder "%s" cannot be trained further', stuck),
      detail = (select e.obstacle from rafiki.encoder e where e.name = stuck),
      hint = format('It can be used as it is: families => ''{encoder}''. Encoders that can be trained further: %s.', coalesce((
        select string_agg(e.name, ', ' order by e.id desc) from rafiki.encoder e where e.name = any (usable) and e.obstacle is null), 'none'));
  end if;
end $$;
