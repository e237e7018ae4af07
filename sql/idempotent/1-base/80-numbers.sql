-- What is a number that can be learnt.

-- An SQL condition for whether a text is a number that can be learnt, as `readLabel` in src/domain/kinds/regression.ts;
-- false for null. What it accepts can be cast to numeric, and to float8 where it is not tiny.
create or replace function rafiki._number_test(value text) returns text
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select format('case when length(%1$s) <= @max_number_chars@ and %1$s ~ %2$L then abs((%1$s)::numeric) <= @max_number@ else false end', value,
                e'^[ \\t\\n\\v\\f\\r]*[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE]([+]?0*[0-9]{1,2}|-0*[0-9]{1,3}))?[ \\t\\n\\v\\f\\r]*$')
$$;

-- The number that a text is by that test, null if it is none.
-- Rounded, because a tiny number that cannot be cast is an error.
do $do$ begin
  execute format('create or replace function rafiki._number_of(value text) returns float8
    language sql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
    as $$ select case when %s then round(value::numeric, 300)::float8 end $$', rafiki._number_test('value'));
end $do$;
