-- What is strange about the columns that a model of several is to learn from, in a sample
-- of rows, read with the caller's rights. Nothing of it is an error: the owner decides.

-- A value that has an order as a number, so that its place among the
-- others can be told; null for a category. numeric has room for any.
create or replace function rafiki._feature_number(feature name, kind text) returns text
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select format(case kind when 'number' then '%I::numeric' when 'time' then 'extract(epoch from %I)::numeric'
                          when 'interval' then 'extract(epoch from %I)::numeric' else 'null::numeric' end, feature)
$$;

-- A query for the values of the features in a sample of the labelled rows, one row each: which half of the sample
-- it is in, the target, name, kind, the value as text, and its part: the text, or which of 128 parts of the rows
-- has it in order. Of numbers, the target is its rank in [0, 1], so that a leak is seen whatever curve it follows.
create or replace function rafiki._feature_values(request rafiki.study) returns text
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select format($query$
    with drawn as materialized (select %1$s as "rafiki target", %2$s from %3$s where %1$s is not null%4$s order by random() limit %5$s),
         cut as (select row_number() over () %% 2 as half, %6$s as y, array[%7$s] as numbers, array[%8$s] as texts from drawn)
    select c.half, c.y, f.name, f.kind, f.value, case when f.number is null then f.value
             else floor(128 * percent_rank() over (partition by f.name order by f.number))::int::text end as part
    from cut c, rows from (unnest(c.numbers), unnest(c.texts), unnest(%9$L::name[]), unnest(%10$L::text[])) f (number, value, name, kind)$query$,
    quote_ident(request.target), string_agg(quote_ident(u.name), ', ' order by u.place), request.source,
    case when o.is_number then ' and ' || rafiki._number_test(format('%I::text', request.target)) end,
    greatest(200, least(5000, 300000 / cardinality(request.features))),
    case when o.is_number then 'percent_rank() over (order by "rafiki target"::text::numeric)' else '"rafiki target"::text collate "C"' end,
    string_agg(rafiki._feature_number(u.name, u.kind), ', ' order by u.place),
    string_agg(format('left(%I::text, 200) collate "C"', u.name), ', ' order by u.place), request.features, request.kinds)
  from rows from (unnest(request.features), unnest(request.kinds)) with ordinality u (name, kind, place),
       (select rafiki._output(request.task) = 'number' as is_number) o
  group by o.is_number
$$;

-- How much of the target each feature alone tells, in [0, 1], if that is nearly all: what is learnt
-- from one half of the sample is right in the other. Of classes, the share of the wrong answers that
-- it avoids of those of the most frequent class; of numbers, the share of the variance of their ranks.
create or replace function rafiki._leaks(request rafiki.study) returns table (name name, told float8)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  least_rows constant int := 50;
  is_number constant boolean := rafiki._output(request.task) = 'number';
begin
  return query execute format(case when is_number then $query$
    with value as materialized (%1$s),
         learnt as (select v.name, v.part, avg(v.y) as y from value v where v.half = 0 group by v.name, v.part),
         scored as (
           select v.name, count(*) as rows, sum((v.y - coalesce(l.y, 0.5)) ^ 2) as wrong, var_pop(v.y) * count(*) as all_wrong
           from value v left join learnt l on l.name = v.name and l.part is not distinct from v.part where v.half = 1 group by v.name)
  $query$ else $query$
    with value as materialized (%1$s),
         learnt as (
           select distinct on (c.name, c.part) c.name, c.part, c.y
           from (select v.name, v.part, v.y, count(*) as n from value v where v.half = 0 group by v.name, v.part, v.y) c
           order by c.name, c.part, c.n desc),
         usual as (select v.y from value v where v.half = 0 group by v.y order by count(*) desc limit 1),
         scored as (
           select v.name, count(*) as rows, count(*) filter (where l.y is distinct from v.y)::float8 as wrong,
                  count(*) filter (where u.y <> v.y)::float8 as all_wrong
           from value v cross join usual u left join learnt l on l.name = v.name and l.part is not distinct from v.part
           where v.half = 1 group by v.name)
  $query$ end || $query$
    select j.name, j.told from (select *, 1 - wrong / nullif(all_wrong, 0) as told from scored) j
    where j.rows >= %2$s and j.all_wrong >= 5 and j.told >= %3$s order by j.told desc, j.name$query$,
    rafiki._feature_values(request), least_rows, case when is_number then 0.98 else 0.95 end);
end $$;

-- Features that say nothing, or that are probably meant otherwise.
create or replace function rafiki._odd_columns(request rafiki.study) returns table (name name, fault text)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  most_values constant int := 253; -- that are told apart, as in src/features/columns/category.ts
  codes constant int := 20; -- so few numbers may be codes
  blanks constant int := 3; -- of a text on average, whose words are learnt
begin
  return query execute format($query$
    select s.name, case when s.given = 0 then 'always null' when s.values = 1 and s.given = s.rows then 'always ' || rafiki._quoted(s.example, 20)
      when s.kind = 'text' and s.numbers < s.given and s.numbers >= 0.9 * s.given
        then format('numbers as texts, but for some such as %%s', rafiki._quoted(s.strange, 20))
      when s.kind = 'text' and s.values > %5$s and s.numbers = s.given then 'numbers as texts: cast it in a view'
      when s.kind = 'text' and s.values > %5$s and s.dates = s.given then 'dates as texts: cast it in a view'
      when s.kind = 'text' and s.values > %2$s and 2 * s.values > s.given and s.blanks < %6$s * s.given
        then format('%%s different texts in %%s rows: most count as rare', s.values, s.given) end
    from (select v.name, v.kind, count(*) as rows, count(v.value) as given, count(distinct v.value) as values, min(v.value) as example,
                 sum(length(v.value) - length(replace(v.value, ' ', ''))) as blanks, count(*) filter (where %3$s) as numbers, min(v.value) filter (where not %3$s) as strange,
                 count(*) filter (where v.value ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}($|[ T])' or v.value ~ '^[0-9]{1,2}[./][0-9]{1,2}[./][0-9]{2,4}$') as dates
          from (%1$s) v group by v.name, v.kind) s
    where s.rows > 0 order by array_position(%4$L::name[], s.name)$query$,
    rafiki._feature_values(request), most_values, rafiki._number_test('v.value'), request.features, codes, blanks);
end $$;

-- The findings about the columns: `place` is their order among those of rafiki_check.
-- None if the values cannot be compared, such as of a type without an order.
create or replace function rafiki._column_findings(request rafiki.study) returns table (place int, finding text, detail text)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if request.kinds is null then
    return;
  end if;
  return query select 1, 'leak?', format('"%s" alone tells %s %% of "%s"', left(l.name, 24), floor(1000 * l.told) / 10, left(request.target, 20))
    from rafiki._leaks(request) l;
  return query select 2, 'column', format('"%s": %s', left(o.name, 20), o.fault) from rafiki._odd_columns(request) o where o.fault is not null;
exception when data_exception or feature_not_supported or ambiguous_column or undefined_function or undefined_table or undefined_object then
  return; -- rafiki._check_rows() says what is wrong with the rows
end $$;

-- Tells the user what is strange about the columns; returns what the study should remember of it.
create or replace function rafiki._notify_columns(request rafiki.study) returns text
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  most constant int := 20;
  found record;
  leaks text;
begin
  for found in select f.* from rafiki._column_findings(request) f order by f.place limit most loop
    if found.finding = 'leak?' then
      raise notice using message = 'leak? ' || found.detail,
        hint = 'If that is not known before the answer is, leave the column out: features => ''{…}''.';
      leaks := concat_ws('; ', leaks, found.detail);
    else
      raise notice 'column %', found.detail;
    end if;
  end loop;
  return 'Leak? ' || leaks || '.';
end $$;
