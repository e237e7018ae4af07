-- Predictions for the rows of any query. The functions that plan or run it have no pinned search path,
-- because the caller's query needs the caller's path; everything else in them is schema-qualified.

-- The columns of a query in order, with their types; the query is planned, but no row is fetched.
-- Errors in it are raised again without the statement around it, which the caller did not write.
create or replace function rafiki._query_columns(query text) returns table (name text, type text)
language plpgsql stable strict parallel unsafe
as $$
declare
  shape constant pg_catalog.text := pg_catalog.format(
    'select z.* from (select) one left join lateral (select * from (%s) y limit 0) z on true', query);
  names pg_catalog.text[];
  state pg_catalog.text;
  said pg_catalog.text;
  advice pg_catalog.text;
begin
  begin
    execute pg_catalog.format(
      'select pg_catalog.array_agg(k) from pg_catalog.json_object_keys((select pg_catalog.to_json(q) from (%s) q)) k', shape)
      into names;
  -- the whole class 42: names that do not exist, missing rights
  exception when syntax_error_or_access_rule_violation then
    get stacked diagnostics state = returned_sqlstate, said = message_text, advice = pg_exception_hint;
    raise exception using errcode = state, message = said,
      detail = pg_catalog.format('The query that was given: %s', pg_catalog.left(pg_catalog.btrim(query, e' \n'), 200)),
      hint = coalesce(nullif(advice, ''), 'Give one SELECT, TABLE or VALUES that could stand in a FROM clause.');
  end;
  if pg_catalog.cardinality(names) > (select pg_catalog.count(distinct n) from pg_catalog.unnest(names) n) then
    raise exception using errcode = 'duplicate_column', message = 'two columns of the query have the same name',
      detail = pg_catalog.format('Its columns: %s.', pg_catalog.array_to_string(names, ', ')),
      hint = 'Give each a different name, with "as".';
  end if;
  return query execute pg_catalog.format(
    'select t.* from (%s) q, lateral (values %s) t (name, type)', shape,
    (select pg_catalog.string_agg(pg_catalog.format('(%L, pg_catalog.pg_typeof(q.%I)::pg_catalog.text)', n, n), ', ')
     from pg_catalog.unnest(names) n));
end $$;

-- The column that the model reads: the one that was named, or the only one of the type that the model reads.
create or replace function rafiki._query_input(query text, input_kind text, named name) returns name
language plpgsql stable parallel unsafe
as $$
declare
  columns pg_catalog.text;
  candidates pg_catalog.text[];
begin
  select rafiki._listed(pg_catalog.array_agg(pg_catalog.concat(c.name, ' ', c.type))),
         pg_catalog.array_agg(c.name) filter (where coalesce(c.name = named::pg_catalog.text, true) and pg_catalog.btrim(c.type, '"') = any (
           case input_kind when 'image' then '{bytea}'::pg_catalog.text[] else '{text,"character varying",character,name}' end))
  into columns, candidates from rafiki._query_columns(query) c;
  if pg_catalog.cardinality(candidates) = 1 then
    return candidates[1];
  end if;
  raise exception using errcode = case when candidates is null then 'undefined_column' else 'ambiguous_column' end,
    message = case when candidates is null then 'no column of the query has the type that the model reads'
                   else 'several columns of the query have the type that the model reads' end,
    detail = pg_catalog.format('The model reads %s; the columns are: %s.',
                               case input_kind when 'image' then 'images (bytea)' else 'texts' end, columns),
    hint = 'Name one with input => ''column''.';
end $$;

-- The expression of the input over the columns of a query: one column, or all that the model reads.
create or replace function rafiki._query_expression(model text, query text, input_kind text, named name) returns text
language plpgsql stable parallel unsafe
as $$
declare
  reads pg_catalog.record;
  names constant pg_catalog.text[] := array(select c.name from rafiki._query_columns(query) c);
  missing pg_catalog.text;
begin
  if input_kind <> 'columns' then
    return pg_catalog.quote_ident(rafiki._query_input(query, input_kind, named));
  end if;
  select r.features, r.kinds into reads from rafiki._model_reads(model) r;
  if named is not null then
    perform rafiki._refuse_feature(model, 'input');
  end if;
  missing := rafiki._listed(array(
    select pg_catalog.format('"%s"', f) from pg_catalog.unnest(reads.features::pg_catalog.text[]) f where f <> all (names)));
  if missing <> '' then
    raise exception using errcode = 'undefined_column', message = pg_catalog.format('the query has no column %s', missing),
      detail = pg_catalog.format('The model reads %s; the query has %s.', rafiki._listed(reads.features::pg_catalog.text[]),
                                 rafiki._listed(names)),
      hint = 'Add it to the query; names are matched exactly.';
  end if;
  return rafiki._input_expression(reads.features, reads.kinds);
end $$;

-- Prepares a query for use as a subquery: it may end in a semicolon or a comment.
create or replace function rafiki._inner_query(query text) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._check_given('query', query is not null);
  return regexp_replace(query, ';[[:space:]]*$', '') || e'\n';
end $$;

create or replace function rafiki._predict_query(model text, query text, input name, form text)
returns table ("row" jsonb, prediction text)
language plpgsql stable parallel unsafe
as $$
declare
  input_kind constant pg_catalog.text := rafiki._input_kind(model);
  inner_query constant pg_catalog.text := rafiki._inner_query(query);
  expression constant pg_catalog.text := rafiki._query_expression(model, inner_query, input_kind, input);
begin
  return query select * from rafiki._predict_rows(
    model, input_kind,
    pg_catalog.format('select pg_catalog.to_jsonb(y)%s as carried, %s as input from (%s) y',
                      case input_kind when 'image' then pg_catalog.format(' - %L::pg_catalog.text', (pg_catalog.parse_ident(expression))[1]) else '' end,
                      expression, inner_query), form);
end $$;

create or replace function rafiki_predict_query(model text, query text, input name default null)
returns table ("row" jsonb, prediction text)
language sql stable parallel unsafe
as $$ select * from rafiki._predict_query(model, query, input, 'labels') $$;

comment on function rafiki_predict_query(text, text, name) is $$Runs a query with your rights and predicts each of its rows, many in one request: made for whole tables.
rafiki_predict_columns returns the columns of the query in place of row.

Arguments:
  model: name of a model that you own or were granted
  query: a SELECT; its column of texts, or of images, is the input; or the columns that the model reads, by name
  input: which column to read, if there are several candidates

Result: each row as an object (without its image), and its prediction

Errors:
  those of rafiki_predict
  42703: no column of the query has the type that the model reads
  42702: several columns have that type
  42701: two columns of the query have the same name
  what Postgres says of the query, with its own code

Example:
  select row ->> 'id', prediction from rafiki_predict_query('reviews_sentiment', 'select id, body from reviews');$$;

create or replace function rafiki._label_and_probabilities(detail jsonb, out label text, out probabilities jsonb)
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$ select detail ->> 'label', detail -> 'probabilities' $$;

create or replace function rafiki._predict_query_detailed(model text, query text, input name)
returns table ("row" jsonb, prediction text, probabilities jsonb)
language plpgsql stable parallel unsafe
as $$
begin
  perform rafiki._check_has_classes(model);
  return query
    select q."row", d.label, d.probabilities
    from rafiki._predict_query(model, query, input, 'details') q
    left join lateral rafiki._label_and_probabilities(q.prediction::pg_catalog.jsonb) d on true;
end $$;

create or replace function rafiki_predict_query(model text, query text, with_probabilities boolean, input name default null)
returns table ("row" jsonb, prediction text, probabilities jsonb)
language plpgsql stable parallel unsafe
as $$
begin
  if with_probabilities then
    return query select * from rafiki._predict_query_detailed(model, query, input);
  else
    return query select q."row", q.prediction, null::pg_catalog.jsonb from rafiki._predict_query(model, query, input, 'labels') q;
  end if;
end $$;

comment on function rafiki_predict_query(text, text, boolean, name) is $$Like rafiki_predict_query, with the probabilities of all classes as another column.

Example:
  select prediction, probabilities from rafiki_predict_query('reviews_sentiment', 'select id, body from reviews', with_probabilities => true);$$;

-- The values of a row are passed through as text, from which every type can be parsed again.
create or replace function rafiki_predict_columns(
  model text, query text, input name default null, with_probabilities boolean default false
) returns setof record
language plpgsql stable parallel unsafe
as $$
declare
  input_kind constant pg_catalog.text := rafiki._input_kind(model);
  inner_query constant pg_catalog.text := rafiki._inner_query(query);
  expression constant pg_catalog.text := rafiki._query_expression(model, inner_query, input_kind, input);
  form constant pg_catalog.text := case when with_probabilities then 'details' else 'labels' end;
  texts pg_catalog.text;
  columns pg_catalog.text;
begin
  select pg_catalog.string_agg(pg_catalog.format('y.%I::pg_catalog.text', t.name), ', '),
         pg_catalog.string_agg(pg_catalog.format('(p.carried ->> %s::pg_catalog.int4)::%s', t.place - 1, t.type), ', ')
  into texts, columns from rafiki._query_columns(inner_query) with ordinality t (name, type, place);
  if with_probabilities then
    perform rafiki._check_has_classes(model);
  end if;
  return query execute pg_catalog.format(
    case when with_probabilities then
      'select %s, d.label, d.probabilities from rafiki._predict_rows($1, $2, $3, $4) p '
      'left join lateral rafiki._label_and_probabilities(p.prediction::pg_catalog.jsonb) d on true'
    else 'select %s, p.prediction from rafiki._predict_rows($1, $2, $3, $4) p' end, columns)
    using model, input_kind,
      pg_catalog.format('select pg_catalog.to_jsonb(array[%s]) as carried, %s as input from (%s) y', texts, expression, inner_query), form;
end $$;

comment on function rafiki_predict_columns(text, text, name, boolean) is $$Runs a query as rafiki_predict_query does, and returns its columns and then the prediction, all of which you declare.
Declare types without a size: numeric, not numeric(10,2).

Arguments:
  model: name of a model that you own or were granted
  query: a SELECT; its column of texts, or of images, is the input; or the columns that the model reads, by name
  input: which column to read, if there are several candidates
  with_probabilities: adds a last column of type jsonb: the probabilities of all classes

Result: the rows of the query, each with its prediction

Errors:
  those of rafiki_predict_query
  42804: the declared columns do not match the result

Example:
  select * from rafiki_predict_columns('reviews_sentiment', 'select id, body from reviews') as t (id int, body text, prediction text);$$;
