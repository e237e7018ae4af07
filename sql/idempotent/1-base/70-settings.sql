-- The settings: name, default and meaning. Postgres accepts any name after "rafiki.",
-- so it neither reports misspelt ones nor shows settings that were not set. No
-- catalog lists what a session has set, so misspelt names have to be guessed.

create or replace function rafiki._settings() returns table (name text, usual text, meaning text)
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  values ('rafiki.latency_budget', '50ms', 'how long a prediction may take'),
         ('rafiki.on_overdue', 'answer', 'what an overdue prediction returns: answer, error or null'),
         ('rafiki.traceparent', '', 'the trace of OpenTelemetry that predictions belong to, as in W3C Trace Context'),
         ('rafiki.read_ahead', 'on', 'whether rafiki_predict(model, column) reads the next rows of its table ahead'),
         ('rafiki.array_literals', 'off', 'whether a single text may look like an array'),
         ('rafiki.fill_wait', '500ms', 'how long a write to an attached table may wait for predictions, 0 to 1s'),
         ('rafiki.alpha_first', '1', 'probability that the first trials of a study start from random weights'),
         ('rafiki.alpha_last', '0.1', 'probability that the last trials of a study start from random weights'),
         ('rafiki.delta', '0.005', 'by how much a score must be better for its weights to be published'),
         ('rafiki.terminator', 'on', 'whether a study ends when more trials are not worth it'),
         ('rafiki.refit', 'on', 'whether models are trained again on all rows in the end'),
         ('rafiki.gpu', 'off', 'whether only workers with a GPU take the trials of a study')
$$;

-- The default of a setting.
create or replace function rafiki._default_of(name text) returns text
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$ select s.usual from rafiki._settings() s where s.name = _default_of.name $$;

-- Misspelt settings. Those of a role or a database are in a catalog, so all unknown
-- ones are found. Those of the session are guessed: one letter missing, doubled, or
-- swapped with the next; if `thorough`, also one letter replaced or added.
create or replace function rafiki._misspelt(thorough boolean) returns table (name text, meant text)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
set jit = off -- the planner overestimates the rows, and compiling would take most of a second
as $$
  with known as (
    select s.name, substr(s.name, 8) as word from rafiki._settings() s
  ), place as (
    select k.name, left(k.word, i - 1) as head, substr(k.word, i, 1) as letter, substr(k.word, i + 1) as tail
    from known k, generate_series(1, length(k.word)) i
  ), variant as (
    select p.name, p.head || v.middle as word
    from place p cross join lateral (values (p.tail), (p.letter || p.letter || p.tail),
                                            (left(p.tail, 1) || p.letter || substr(p.tail, 2))) v (middle)
    union all
    select p.name, p.head || v.middle
    from place p, unnest(string_to_array('a b c d e f g h i j k l m n o p q r s t u v w x y z _', ' ')) other,
      lateral (values (other || p.tail), (other || p.letter || p.tail), (p.letter || other || p.tail)) v (middle)
    where thorough
  ), found as (
    select distinct 'rafiki.' || v.word as name, v.name as meant from variant v
    where nullif(current_setting('rafiki.' || v.word, true), '') is not null
    union
    select split_part(o, '=', 1), null from pg_db_role_setting d, unnest(d.setconfig) o
    where o like 'rafiki.%' and d.setdatabase in (0, (select oid from pg_database where datname = current_database()))
      and (d.setrole = 0 or d.setrole = (select oid from pg_roles where rolname = session_user))
  )
  select f.name, coalesce(min(f.meant), (select k.name from known k order by rafiki._likeness(k.name, f.name) desc, k.name limit 1))
  from found f where f.name not in (select k.name from known k) group by f.name
$$;

create or replace function rafiki._warn_misspelt(thorough boolean) returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  wrong record;
begin
  for wrong in select * from rafiki._misspelt(thorough) loop
    raise warning using errcode = 'undefined_object', message = format('there is no setting %s', wrong.name),
      detail = 'It changes nothing.', hint = format('Did you mean %s? The view rafiki.settings lists them.', wrong.meant);
  end loop;
end $$;
