drop function if exists rafiki._encoder_for(regrole, text); -- of an unreleased version, with one encoder

-- The encoders that studies of a role have for a task: those for its kind of input that the role may use, the one added last first. Null if
-- there are none.
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

-- The names of encoders in their order, as far as they are still there.
create or replace function rafiki._encoder_names(ids bigint[]) returns text[]
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(array_agg(e.name order by i.place), '{}') from unnest(ids) with ordinality i (id, place) join rafiki.encoder e on e.id = i.id
$$;

create or replace function rafiki._check_encoder(request rafiki.study, asker regrole) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  usable constant text[] := rafiki._encoder_names(rafiki._encoders_for(asker, request.task));
  given constant jsonb := request.knobs -> 'encoder';
  unknown constant text := (
    select v #>> '{}' from jsonb_array_elements(case when given ? 'list' then given -> 'list' else jsonb_build_array(given) end) v
    where v #>> '{}' <> all (usable) limit 1);
begin
  if cardinality(usable) = 0 and request.families && '{encoder,encoder_tuned}' then
    raise exception using errcode = 'undefined_object', message = 'there is no encoder for the family "encoder"',
      detail = format('Role %s may use none whose input is %s.', asker, (select t.input from rafiki.task t where t.name = request.task)),
      hint = 'An administrator adds one with: rafiki encoder add NAME …; select * from rafiki.encoders shows those that there are.';
  elsif unknown is not null then
    raise exception using errcode = 'undefined_object', message = format('there is no encoder "%s" for this study', unknown),
      detail = format('Role %s may use for %s: %s.', asker, request.task, coalesce(nullif(array_to_string(usable, ', '), ''), 'none')),
      hint = 'select * from rafiki.encoders shows those that there are; an administrator adds more with: rafiki encoder add NAME …';
  elsif 'encoder_tuned' = any (request.families)
        and not exists (select from rafiki.encoder e where e.name = any (usable) and e.obstacle is null) then
    raise exception using errcode = 'feature_not_supported', message = format('encoder "%s" cannot be trained further', usable[1]),
      detail = (select e.obstacle from rafiki.encoder e where e.name = usable[1]),
      hint = 'It can be used as it is: families => ''{encoder}''.';
  end if;
end $$;
