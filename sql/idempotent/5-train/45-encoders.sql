-- The encoder that studies of a role have for a task: of those for its kind of input that the role may use, the one added last. Null if
-- there is none.
create or replace function rafiki._encoder_for(role regrole, task text) returns bigint
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select e.id from rafiki.encoder e join rafiki.task t on t.input = e.input and t.output <> 'boxes'
  where t.name = _encoder_for.task and (e.is_public or exists (
    select from rafiki.encoder_grant g
    where g.encoder_id = e.id and pg_has_role(_encoder_for.role::oid, g.role::oid, 'usage')))
  order by e.id desc limit 1
$$;

create or replace function rafiki._check_encoder(request rafiki.study, asker regrole) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  encoder rafiki.encoder;
begin
  if request.families is null or not request.families && '{encoder,encoder_tuned}' then return; end if;
  select * into encoder from rafiki.encoder e where e.id = rafiki._encoder_for(asker, request.task);
  if encoder.id is null then
    raise exception using errcode = 'undefined_object', message = 'there is no encoder for the family "encoder"',
      detail = format('Role %s may use none whose input is %s.', asker, (select t.input from rafiki.task t where t.name = request.task)),
      hint = 'An administrator adds one with: rafiki encoder add NAME …; select * from rafiki.encoders shows those that there are.';
  end if;
  if 'encoder_tuned' = any (request.families) and encoder.obstacle is not null then
    raise exception using errcode = 'feature_not_supported', message = format('encoder "%s" cannot be trained further', encoder.name),
      detail = encoder.obstacle, hint = 'It can be used as it is: families => ''{encoder}''.';
  end if;
end $$;
