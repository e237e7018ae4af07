-- The statistics of rafiki_check: what a study's rows are like before training. All is read with the caller's rights.

-- A text without differences of case, spaces and Unicode composition; ten times faster than with regular
-- expressions. No pinned search path, so that the planner can inline it: it is evaluated for every row.
create or replace function rafiki._folded(input text) returns text
language sql immutable parallel safe
as $$
  select pg_catalog.translate(pg_catalog.lower(
    case when pg_catalog.octet_length(input) = pg_catalog.length(input) then input else pg_catalog.normalize(input, 'NFKC') end), e' \t\n\r\f\v', '')
$$;

-- A label without the differences that do not distinguish classes:
-- case, accents, spaces and their substitutes, invisible characters.
create or replace function rafiki._label_form(label text) returns text
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(nullif(btrim(regexp_replace(regexp_replace(
    lower(normalize(label, nfkd)), e'[\\u0300-\\u036f\\u200b-\\u200d\\ufeff]', '', 'g'), '[[:space:]_.-]+', ' ', 'g')), ''), label)
$$;

-- Labels that may be typos of others: pairs with the same _label_form, or a rare and a frequent label that
-- differ in one or two letters. To avoid comparing every pair, one letter (two, if there are eight or more)
-- is deleted from each label, and the remainders are joined; two only if the first letters are equal,
-- because prefixes make different words. Numbers, and names with numbers, are never typos of one another.
-- `classes` is an array of {label, n}; beyond 3000 classes, differences of two letters are not searched for.
create or replace function rafiki._typos(classes jsonb)
returns table (label text, n bigint, like_label text, like_n bigint)
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with class as materialized (
         select c.label, c.n, rafiki._label_form(c.label) as form from jsonb_to_recordset(classes) c (label text, n bigint)),
       form as materialized (
         select c.form, (array_agg(c.n order by c.n desc, c.label))[1] as n, (array_agg(c.label order by c.n desc, c.label))[1] as label,
                length(c.form) between 8 and 30 and c.form !~ '[0-9]' and (select count(*) from class) <= 3000 as is_long
         from class c group by c.form),
       looked_at as materialized ( -- labels whose counts differ enough from others to be part of a pair
         select f.* from form f, (select min(n) as least, max(n) as most from form) all_
         where length(f.form) between 4 and 64 and (f.n >= 4 * all_.least or 4 * f.n <= all_.most)),
       shorter as materialized (
         select f.form, f.form as rest, 0 as taken from looked_at f
         union
         select f.form, left(f.form, i - 1) || substr(f.form, i + 1), 1 from looked_at f, generate_series(1, length(f.form)) i
         union
         select f.form, left(f.form, i - 1) || substr(f.form, i + 1, j - i - 1) || substr(f.form, j + 1), 2
         from looked_at f, generate_series(1, length(f.form) - 1) i, generate_series(i + 1, length(f.form)) j where f.is_long),
       near as (
         select a.form as rare, b.form as frequent, min(greatest(a.taken, b.taken)) as taken
         from shorter a join shorter b on b.rest = a.rest and b.form <> a.form group by 1, 2)
  select c.label, c.n, f.label, f.n
  from class c join form f on f.form = c.form where c.label <> f.label
  union all
  select r.label, r.n, f.label, f.n
  from near p join form r on r.form = p.rare join form f on f.form = p.frequent
  where (r.n * 20 <= f.n or r.n <= 2 and f.n >= 4 * r.n and p.taken <= 1)
    and (p.taken <= 1 or left(r.form, 1) = left(f.form, 1))
    and regexp_replace(r.form, '[0-9]+', '', 'g') <> regexp_replace(f.form, '[0-9]+', '', 'g')
  order by 4 desc, 1
$$;

-- The query for the labelled rows of a study, grouped by class and input, with their side of
-- the split as in src/datasets/split.ts (only approximately for inputs with several labels): n
-- rows are used, and `dropped` are left out because the same input was chosen for validation.
create or replace function rafiki._split_query(request rafiki.study) returns text
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select format($query$
    with given as (
      select left(r.label::text, @max_label_chars@ + 1) collate "C" as label, %1$s as hash, %2$s as folded, %3$s collate "C" as excerpt,
             octet_length(r.input::%4$s) as bytes, r.validates
      from (%5$s offset 0) r -- so that a row's object is built once
      where r.label is not null and %10$s and (length(r.label::text) <= @max_label_chars@ or %6$L <> 'skip')
    ), grouped as (
      select label, hash, min(folded) as folded, min(excerpt) as excerpt, sum(bytes) as bytes, count(*) as n,
             count(*) filter (where validates) as validating, ((hash >> 32) & 4294967295) / 4294967296.0 < %7$s as is_drawn
      from given group by label, hash
    ), placed as (
      select g.*, count(*) over of_label as inputs, count(*) filter (where is_drawn) over of_label as drawn,
             row_number() over (partition by label order by hash < 0, hash) as place, %9$s as is_validating
      from grouped g window of_label as (partition by label)
    )
    select label, hash, folded, excerpt, bytes, inputs, case when is_validating then validating else n end as n,
           case when is_validating then n - validating else 0 end as dropped,
           case when %8$L then is_validating when inputs = 1 then false when drawn = 0 then place = 1 when drawn = inputs then place < inputs
                else is_drawn end as is_valid
    from placed$query$,
    hash_call,
    case input when 'text' then 'rafiki._input_hash(rafiki._folded(r.input::text))' else hash_call end,
    case input when 'image' then 'null::text' else 'left(r.input::text, 60)' end,
    case input when 'image' then 'bytea' else 'text' end,
    rafiki._study_rows(request), request.on_bad_row, request.validation, rafiki._has_validation_rows(request),
    case when rafiki._has_validation_rows(request) then 'sum(validating) over (partition by hash) > 0' else 'false' end,
    rafiki._given_test(request.kinds is not null, 'r.input'))
  from (select t.input, rafiki._hash_call(t.name) as hash_call from rafiki.task t where t.name = request.task) t
$$;

-- The statistics of the rows of a study for classes, as one object; rafiki._findings lists its fields.
create or replace function rafiki._facts(request rafiki.study) returns jsonb
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
set work_mem = '32MB' -- with less, most of the time is spent on sorting on disk
set extra_float_digits = 1 -- as readers: the same texts, and so the same split
as $$
declare
  facts jsonb;
  counted jsonb;
begin
  execute format('select to_jsonb(c) from (select count(*) as rows, count(*) filter (where r.label is null) as no_label, '
                 'count(*) filter (where r.label is not null and not %1$s) as no_input, '
                 'count(*) filter (where length(r.label::text) > @max_label_chars@ and %1$s) as long_label from (%2$s) r) c',
                 rafiki._given_test(request.kinds is not null, 'r.input'), rafiki._study_rows(request)) into counted;
  execute format($query$
    with split as materialized (%s),
         class as materialized (
           select label, sum(n) as n, min(inputs) as inputs, coalesce(sum(n) filter (where is_valid), 0) as valid from split group by label),
         side as ( -- classes that are on one side of the split only
           select label, n, valid > 0 as is_valid, count(*) over of_side as classes, row_number() over (of_side order by n desc, label) as place
           from class where n > 0 and valid in (0, n) window of_side as (partition by valid > 0)),
         twin as materialized (
           select folded, count(distinct label) as labels, bool_or(is_valid and n > 0) and bool_or(not is_valid or dropped > 0) as is_both,
                  min(excerpt) as excerpt, sum(n) filter (where is_valid) as valid from split group by folded)
    select jsonb_build_object(
      'used', (select coalesce(sum(n), 0) from split), 'valid', (select coalesce(sum(n), 0) from split where is_valid),
      'dropped', (select coalesce(sum(dropped), 0) from split), 'bytes', (select coalesce(sum(bytes), 0) from split),
      'repeats', (select coalesce(sum(n), 0) - count(distinct hash) from split where n > 0),
      'classes', (select count(*) from class),
      'most', (select jsonb_agg(c order by c.n desc, c.label) from (select label, n from class order by n desc, label limit 5) c),
      'shared', (select count(*) from class where valid > 0 and valid < n),
      'one_sided', (select jsonb_agg(s order by s.place) from side s where s.place <= 3),
      'single', (select count(*) from class where inputs = 1), 'single_label', (select min(label) from class where inputs = 1),
      'both', (select count(*) from twin where is_both), 'both_rows', (select coalesce(sum(valid), 0) from twin where is_both),
      'both_conflict', (select count(*) from twin where is_both and labels > 1),
      'both_examples', (select jsonb_agg(t.excerpt) from (select excerpt from twin where is_both order by labels desc, excerpt limit 3) t),
      'conflict', (select count(*) from twin where labels > 1), 'conflict_example', (select min(excerpt) from twin where labels > 1),
      'majority', (select label from class order by valid desc, label limit 1),
      'shares', (select jsonb_agg(valid) from class where valid > 0),
      'typos', (select jsonb_agg(t) from rafiki._typos(
        (select jsonb_agg(jsonb_build_object('label', label, 'n', n)) from class where length(label) <= 64)) t))
    $query$, rafiki._split_query(request)) into facts;
  return facts || counted;
end $$;

-- The score of a constant answer, as `baseline` in src/domain/metrics.ts; null if there are no rows.
create or replace function rafiki._baseline_score(metric text, counts jsonb) returns numeric
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select round(case metric when 'accuracy' then max(s.share) when 'macro_f1' then 2 * max(s.share) / (1 + max(s.share)) / count(*)
                           when 'likelihood' then exp(sum(s.share * ln(s.share))) else 0.5 end, 3)
  from (select c::numeric / sum(c::numeric) over () as share from jsonb_array_elements_text(counts) c) s
$$;

-- A text in quotes, cut to a length, with control characters replaced by spaces so that it stays on one line.
create or replace function rafiki._quoted(value text, most int) returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select format('"%s%s"', regexp_replace(left(value, most), '[[:cntrl:]]', ' ', 'g'), case when length(value) > most then '…' end)
$$;

-- A number in twelve characters at most.
create or replace function rafiki._short_number(number numeric) returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case when length(number::text) <= 12 then number::text else btrim(to_char(number, '9.999EEEE')) end
$$;

-- An estimate of how long a first trial takes, from two cores of an Intel Xeon
-- (the machine of README's figures): fastText reads 1 MB of text ten times in
-- 2.2 s; a ResNet takes 2 ms for an image of 32 × 32 in each of about 30 epochs.
create or replace function rafiki._time_estimate(request rafiki.study, bytes numeric, learnt bigint) returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select format('some %s for a first trial; %s for all at most',
                case when t.seconds < 90 then ceil(t.seconds) || ' s' else round(t.seconds / 60) || ' min' end,
                case when t.most < 3600 then round(t.most / 60, 1) || ' min' else round(t.most / 3600, 1) || ' h' end)
  from (select m.most, least(m.most, case when request.task like 'image%' then 2 + learnt * 0.06 else 1 + bytes * 2.2e-6 end) as seconds
        from (select extract(epoch from request.max_time)::numeric as most) m) t
$$;
