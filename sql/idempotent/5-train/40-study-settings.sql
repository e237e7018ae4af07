-- Session settings that are copied into a study; 1-base/70-settings.sql lists them.

-- The value of a numeric setting (set rafiki.alpha_last = 0.3) from 0 to `maximum`, or its default.
create or replace function rafiki._number_setting(name text, maximum float8) returns float8
language plpgsql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  default_value constant text := rafiki._default_of(name);
  given constant text := nullif(current_setting(name, true), '');
begin
  if given is null then
    return default_value::float8;
  elsif given ~ '^[[:space:]]*[0-9]*[.]?[0-9]+(e-?[0-9]+)?[[:space:]]*$' and given::float8 <= maximum then
    return given::float8;
  end if;
  raise exception using errcode = 'invalid_parameter_value', message = format('setting %s cannot be "%s"', name, given),
    detail = case when maximum = 'infinity' then 'It is a number that is not negative.'
                  else format('It is a number from 0 to %s.', maximum) end,
    hint = format('The default is %s: reset %s;', default_value, name);
end $$;

-- The value of a setting that is on or off, or its default.
create or replace function rafiki._switch_setting(name text) returns boolean
language plpgsql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  default_value constant text := rafiki._default_of(name);
  given constant text := lower(nullif(current_setting(name, true), ''));
begin
  if given is null then
    return default_value::boolean;
  elsif given in ('on', 'off', 'true', 'false') then
    return given::boolean;
  end if;
  raise exception using errcode = 'invalid_parameter_value', message = format('setting %s cannot be "%s"', name, given),
    detail = 'It is on or off.', hint = format('The default is %s: reset %s;', default_value, name);
end $$;
