-- What a model gets wrong, for people to look at. All is read with the caller's rights.

-- An expression for a row as texts by column, without its images: those columns that the caller may
-- read, with the output functions of their types, not with casts, which their owners could have defined.
create or replace function rafiki._row_texts(source regclass) returns text
language sql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce('pg_catalog.jsonb_build_object('
                  || string_agg(format('%L, pg_catalog.left(pg_catalog.format(''%%s'', s.%I), 300)', c.attname, c.attname), ', ' order by c.attnum)
                  || ')', '''{}''::pg_catalog.jsonb')
  from (select a.attname, a.attnum from pg_attribute a
        where a.attrelid = source and a.attnum > 0 and not a.attisdropped and a.atttypid <> 'bytea'::regtype
          and has_column_privilege(source, a.attnum, 'select') order by a.attnum limit 40) c
$$;

-- Predicts about `sampled` labelled rows: of a table of more, of its rows at random. Of a model of
-- numbers, rows without one are left out. rows and hits count them (hits of classes alone); bins are
-- those of the calibration error (Guo et al. 2017) in tenths of the confidence; pairs are the actual
-- and predicted numbers; mistakes are the rows that are furthest from right, the most confident first.
create or replace function rafiki._mistakes(model text, source regclass, target name, feature name, sampled int, most int)
returns table (rows bigint, hits bigint, bins jsonb, pairs jsonb, mistakes jsonb)
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  max_image constant int := 60000;
  columns record := rafiki._model_columns(model, source, target, feature);
  kind constant text := (columns.task).input;
  -- Of a large table it saves sorting all rows. Null, for all rows: views,
  -- partitioned tables and new tables do not know how many they have.
  share float8 := (select 1.5 * sampled / nullif(greatest(c.reltuples, 0), 0) from pg_class c where c.oid = source);
begin
  if (columns.task).output = 'boxes' then
    raise exception using errcode = 'wrong_object_type', message = format('model "%s" finds objects', model),
      detail = format('Its task is %s.', (columns.task).name), hint = 'rafiki_evaluate measures how well objects are found.';
  end if;
  return query
    with scored as materialized (
           select p.carried ->> 0 as actual, p.carried -> 1 as shown, p.carried ->> 2 as image, d.answer ->> 'label' as label,
                  (d.answer ->> 'number')::float8 as number, (d.answer -> 'probabilities' ->> (d.answer ->> 'label'))::float8 as confidence
           from rafiki._predict_rows(model, kind, format(
             'select pg_catalog.jsonb_build_array(r.actual, r.shown, %1$s) as carried, r.input from (
                select s.%2$I::text as actual, %3$s as input, %4$s as shown from %5$s s where s.%2$I is not null and %6$s and %7$s and %8$s
                order by pg_catalog.random() limit %9$s) r',
             case kind when 'image' then format('case when pg_catalog.octet_length(r.input) <= %s then pg_catalog.encode(r.input, ''base64'') end', max_image)
                       else 'null' end,
             columns.target, columns.input, rafiki._row_texts(source), source, rafiki._given_test(kind = 'columns', columns.input),
             case (columns.task).output when 'number' then rafiki._number_test(format('s.%I::text', columns.target)) else 'true' end,
             case when share < 1 then format('pg_catalog.random() < %s', share) else 'true' end, sampled), 'details') p
           cross join lateral (select p.prediction::jsonb as answer) d),
         measured as materialized (
           select j.*, case when j.label is not null then case when j.label = j.actual then 0 else j.confidence end
                            else abs(j.number - rafiki._number_of(j.actual)) end as fault from scored j),
         bin as (
           select least(9, floor(10 * m.confidence)) as place, count(*) as n, count(*) filter (where m.label = m.actual) as hits, avg(m.confidence) as mean
           from measured m where m.label is not null group by 1)
    select count(*), count(*) filter (where m.label = m.actual),
           (select coalesce(jsonb_agg(jsonb_build_object('place', b.place, 'rows', b.n, 'hits', b.hits, 'confidence', round(b.mean::numeric, 4))
                                      order by b.place), '[]') from bin b),
           coalesce(jsonb_agg(jsonb_build_array(rafiki._number_of(m.actual), m.number)) filter (where m.number is not null), '[]'),
           (select coalesce(jsonb_agg(jsonb_build_object('actual', w.actual, 'predicted', coalesce(w.label, w.number::text),
                                                         'fault', round(w.fault::numeric, 4), 'row', w.shown, 'image', w.image) order by w.fault desc), '[]')
            from (select * from measured m where m.fault > 0 order by m.fault desc limit most) w)
    from measured m;
end $$;
