-- Raises an error that was stored in a row or sent by the bridge: {sqlstate, message, detail, hint}.
create or replace function rafiki._raise(error jsonb) returns void
language plpgsql volatile parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  state text := coalesce(error ->> 'sqlstate', '38000'); -- external_routine_exception
  text_ text := coalesce(error ->> 'message', 'unknown error');
  detail_ text := error ->> 'detail';
  hint_ text := error ->> 'hint';
begin
  -- RAISE accepts no null options, and an empty one would print an empty line
  if detail_ is null and hint_ is null then
    raise exception using errcode = state, message = text_;
  elsif detail_ is null then
    raise exception using errcode = state, message = text_, hint = hint_;
  elsif hint_ is null then
    raise exception using errcode = state, message = text_, detail = detail_;
  end if;
  raise exception using errcode = state, message = text_, detail = detail_, hint = hint_;
end $$;

-- The similarity of two names, from 0 to 1: Dice's coefficient of their letter pairs.
create or replace function rafiki._likeness(a text, b text) returns float8
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with pair_a as (select distinct substr(' ' || lower(a) || ' ', i, 2) as p from generate_series(1, length(a) + 1) i),
       pair_b as (select distinct substr(' ' || lower(b) || ' ', i, 2) as p from generate_series(1, length(b) + 1) i)
  select 2.0 * (select count(*) from pair_a join pair_b using (p))
         / ((select count(*) from pair_a) + (select count(*) from pair_b))
$$;

-- The eight candidates nearest to a name, nearest first, as a list for a hint.
create or replace function rafiki._nearest(name text, candidates text[]) returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(string_agg(near.c, ', '), 'none')
  from (select c from unnest(candidates) c order by rafiki._likeness(coalesce(name, ''), c) desc, c limit 8) near
$$;

-- Raises an error for a prediction by no model: NULL for each row would look like an answer.
create or replace function rafiki._check_model_given(model text) returns void
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if model is null then
    raise exception using errcode = 'null_value_not_allowed', message = 'model must not be null',
      hint = 'Check where the name comes from: a query may have found none. The view rafiki.models lists your models.';
  end if;
end $$;

-- Raises an error if an argument of a function that changes
-- something is null: returning silently would look like success.
create or replace function rafiki._check_given(what text, is_given boolean) returns void
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if not is_given then
    raise exception using errcode = 'null_value_not_allowed', message = format('%s must not be null', what),
      detail = 'Nothing was changed.', hint = 'Check where the value comes from: a query may have found no row.';
  end if;
end $$;

-- A list in a message: its first items, and how many more there are; '' for none.
create or replace function rafiki._listed(items text[]) returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select concat(array_to_string(items[:20], ', '), case when cardinality(items) > 20 then format(' and %s more', cardinality(items) - 20) end)
$$;

-- The parts of a table's name, its schema first if it has one. The argument is what the caller gave it as.
create or replace function rafiki._name_parts(argument text, name text) returns text[]
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  parts text[];
begin
  begin
    parts := parse_ident(name);
  exception when invalid_parameter_value then
    null;
  end;
  if (cardinality(parts) <= 2) is not true then
    raise exception using errcode = 'invalid_name', message = format('%s is not the name of a table', argument),
      detail = format('It is "%s".', left(name, 80)),
      hint = 'Write it as in SQL: moods, public.moods, or with quotes where it needs some: "My Moods".';
  end if;
  return parts;
end $$;
