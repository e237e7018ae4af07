-- What an attached model reads, as pieces of SQL over a row. `kind` is the kind of its input: text,
-- image or columns. `inputs` are columns of the table. `features` are the names under which a model
-- of several columns reads them, in the same order, which columns keep that are renamed; else null.

-- The arguments of a trigger: in pg_trigger, each ends with a zero byte.
create or replace function rafiki._trigger_arguments(arguments bytea) returns text[]
language sql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select array_agg(convert_from(decode(m.word[1], 'escape'), getdatabaseencoding()) order by m.place)
  from regexp_matches(encode(arguments, 'escape'), e'((?:[^\\\\]|\\\\\\\\|\\\\[23]..)*)\\\\000', 'g') with ordinality m (word, place)
$$;

-- The columns of an attachment on a table or a partition, read from its update trigger,
-- which lists the inputs and then the output; no row if one of them was dropped.
create or replace function rafiki._attached(relation oid, attachment text)
returns table (kind text, inputs name[], features name[], output name, type regtype, is_partition boolean)
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select g.arguments[3], array(
      select a.attname from unnest(t.tgattr) with ordinality k (attnum, nth)
      join pg_attribute a on a.attrelid = relation and a.attnum = k.attnum
      where k.nth < cardinality(t.tgattr) order by k.nth),
    nullif(g.arguments[4:]::name[], '{}'), o.attname, o.atttypid::regtype, t.tgparentid <> 0
  from pg_trigger t
  cross join lateral rafiki._trigger_arguments(t.tgargs) g (arguments)
  join pg_attribute o on o.attrelid = relation and o.attnum = t.tgattr[cardinality(t.tgattr) - 1]
  where t.tgrelid = relation and t.tgname = format('rafiki_%s_update', attachment)
$$;

-- The input of a row, encoded for a request; null if it is too large.
create or replace function rafiki._input_sql(kind text, inputs name[], features name[], alias text) returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select format(case kind
    when 'image' then 'case when pg_catalog.octet_length(%1$s) <= @max_image_bytes@ then pg_catalog.encode(%1$s, ''base64'') end'
    when 'text' then 'case when pg_catalog.octet_length(%1$s::pg_catalog.text) <= @max_text_bytes@ then %1$s::pg_catalog.text end'
    else '(select case when pg_catalog.octet_length(o.input) <= @max_text_bytes@ then o.input end from ('
      'select %2$s as input offset 0) o)' end,
    format('%s.%I', alias, inputs[1]),
    (select rafiki._row_object(string_agg(format('%s.%I as %I', alias, u.input, coalesce(u.feature, u.input)), ', ' order by u.nth))
     from rows from (unnest(inputs), unnest(features)) with ordinality u (input, feature, nth)))
$$;

-- Whether a row has an input to predict: a row of NULLs is one.
create or replace function rafiki._has_input(kind text, inputs name[], alias text) returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._given_test(kind = 'columns', format('%s.%I', alias, inputs[1])) $$;

-- Whether a row waits for its prediction.
create or replace function rafiki._waits(kind text, inputs name[], output name, alias text) returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$ select format('%s.%I is null and %s', alias, output, rafiki._has_input(kind, inputs, alias)) $$;

-- A value that differs where inputs do. A text, because types need no operator for equality.
create or replace function rafiki._input_value(kind text, inputs name[], alias text) returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select format(case kind when 'image' then '%s' when 'text' then '%s::pg_catalog.text' else 'row(%s)::pg_catalog.text' end,
                (select string_agg(format('%s.%I', alias, i), ', ' order by n) from unnest(inputs) with ordinality u (i, n)))
$$;
