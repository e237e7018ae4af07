-- Session settings that are copied into a study; 1-base/70-settings.sql lists them.

-- The value of a numeric setting (set rafiki.alpha_last = 0.3) from 0 to `most`, or its default.
create or replace function rafiki._number_setting(name text, most float8) returns float8
language plpgsql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  usual constant text := rafiki._usual(name);
  given constant text := nullif(current_setting(name, true), '');
begin
  if given is null then
    return usual::float8;
  elsif given ~ '^[[:space:]]*[0-9]*[.]?[0-9]+(e-?[0-9]+)?[[:space:]]*$' and given::float8 <= most then
    return given::float8;
  end if;
  raise exception using errcode = 'invalid_parameter_value', message = format('setting %s cannot be "%s"', name, given),
    detail = case when most = 'infinity' then 'It is a number that is not negative.'
                  else format('It is a number from 0 to %s.', most) end,
    hint = format('The default is %s: reset %s;', usual, name);
end $$;

-- The value of a setting that is on or off, or its default.
create or replace function rafiki._switch_setting(name text) returns boolean
language plpgsql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  usual constant text := rafiki._usual(name);
  given constant text := lower(nullif(current_setting(name, true), ''));
begin
  if given is null then
    return usual::boolean;
  elsif given in ('on', 'off', 'true', 'false') then
    return given::boolean;
  end if;
  raise exception using errcode = 'invalid_parameter_value', message = format('setting %s cannot be "%s"', name, given),
    detail = 'It is on or off.', hint = format('The default is %s: reset %s;', usual, name);
end $$;
