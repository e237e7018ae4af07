-- Predictions for rows of several columns. A row is sent as a JSON object in a text, so everything
-- behind is as for texts. The functions for anynonarray get what no other overload takes:
-- PostgreSQL resolves an untyped literal to text, and texts and images to their own functions.

-- An SQL expression for the object of some columns of a row, as
-- text: Postgres writes it. `columns` is the list of a SELECT.
create or replace function rafiki._row_object(columns text) returns text
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$ select format('(select pg_catalog.to_json(x.*) from (select %s) x)::pg_catalog.text', columns) $$;

create or replace function rafiki._refuse_type(input regtype, reads_rows boolean) returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if reads_rows then
    raise exception using errcode = 'datatype_mismatch', message = format('the model reads rows, not %s', input),
      hint = 'Give a row, as in rafiki_predict(model, c) from customers c, or an object: jsonb_build_object(…).';
  end if;
  raise exception using errcode = 'datatype_mismatch', message = format('a model reads text or images, not %s', input),
    hint = case when input in ('json'::regtype, 'jsonb'::regtype) then 'Take the text out of it, as in input ->> ''body'', or give input::text.'
                when input = 'record'::regtype or (select t.typtype from pg_type t where t.oid = input) = 'c'
                then 'Name one column of the row, or join several: concat_ws('' '', title, body).'
                else 'Give it as a text: rafiki_predict(model, input::text).' end;
end $$;

-- Whether a model reads rows of several columns; an error if there is no such model.
create or replace function rafiki._reads_rows(model text) returns boolean
language plpgsql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (select from rafiki.model m join rafiki.task t on t.name = m.task where m.name = model and t.input = 'columns') then
    return true;
  end if;
  perform rafiki._model_key(model);
  return false;
end $$;

-- A row, or a document in JSON, as a text; null for null. An error
-- for any other value, and for a model that does not read rows.
create or replace function rafiki._row_text(model text, input anyelement) returns text
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  object constant text := to_json(input)::text; -- a row with nulls only is an object, too, although it "is null"
  reads_rows boolean;
begin
  if model is null then
    perform rafiki._check_model_given(model);
  end if;
  reads_rows := rafiki._reads_rows(model);
  if reads_rows and ascii(object) = 123 then -- {
    return object;
  elsif reads_rows and (pg_typeof(input) in ('json'::regtype, 'jsonb'::regtype, 'record'::regtype)
                        or (select t.typtype from pg_type t where t.oid = pg_typeof(input)) = 'c') then
    return object; -- null, or no object, which the server explains
  end if;
  perform rafiki._refuse_type(pg_typeof(input), reads_rows);
end $$;

-- What rafiki_predict does with a row, of which `object` is the JSON, if there is no prefetched answer. A
-- row of a model that reads rows needs one look-up; whatever else is given, _row_text() tells what it is.
create or replace function rafiki._predict_row(model text, object text, input anyelement, budget interval) returns text
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if ascii(object) = 123 and rafiki._reads_rows(model) -- {
     or rafiki._row_text(model, input) is not null then
    return rafiki._predict_one(false, model, object, input, budget);
  end if;
  return null;
end $$;

-- Looks for a prefetched answer first: there is one only if the model reads rows, which is a query to find out.
create or replace function rafiki_predict(model text, input anynonarray, budget interval default null) returns text
language plpgsql stable parallel safe cost 100
set search_path = pg_catalog, pg_temp
as $$
declare
  object constant text := to_json(input)::text;
begin
  return coalesce(rafiki._take(model, object, current_user), rafiki._predict_row(model, object, input, budget));
end $$;

comment on function rafiki_predict(text, anynonarray, interval) is $$Like rafiki_predict for a text, but for a row of a table, a view or a sub-query, or for a json or jsonb object: its columns are
matched by name, those that the model does not read are ignored. In an object a number may be a text ("12.5"), a boolean is
true, false, "true" or "false", a date or timestamp a text in ISO 8601 ("2026-03-01", "2026-03-01T12:00:00+01:00"), an
interval a text as PostgreSQL writes it. For many rows, rafiki_predict_many(model, array_agg(to_json(c)::text)) is the
fastest. Rows are read ahead as JSON, also those that a condition leaves out: what a type's owner defined as its cast to
json runs for them, too, unless rafiki.read_ahead is off.

Arguments:
  model: name of a model of a task tabular_… that you own or were granted
  input: the row, or the object; NULL gives NULL, a row of NULLs is predicted
  budget: how long the call may take; default: the setting rafiki.latency_budget

Result: the label, or the number

Errors:
  those of rafiki_predict
  22000: the row lacks a column that the model reads, or a value cannot be read
  42804: the model reads a text or an image, or the value is neither row nor object

Example:
  select c.id, rafiki_predict('customers_tabular_classification', c) from customers c;$$;

-- For a budget written as an untyped literal: see 50-predict.sql. A parsed body cannot be polymorphic.
create or replace function rafiki_predict(model text, input anynonarray, budget text) returns text
language plpgsql stable parallel safe cost 100
set search_path = pg_catalog, pg_temp
as $$
declare
  object constant text := to_json(input)::text;
begin
  return coalesce(rafiki._take(model, object, current_user), rafiki._predict_row(model, object, input, rafiki._untyped_budget(budget)));
end $$;

comment on function rafiki_predict(text, anynonarray, text) is $$Like rafiki_predict for a row, with the budget as an untyped literal.

Example:
  select id, rafiki_predict('customers_tabular_classification', c, '250 ms') from customers c;$$;

create or replace function rafiki_predict_rows(model text, inputs jsonb[], budget interval default null) returns text[]
language plpgsql stable parallel safe cost 1000
set search_path = pg_catalog, pg_temp
as $$
begin
  if not rafiki._reads_rows(model) then
    perform rafiki._refuse_type('jsonb', false);
  end if;
  return rafiki._predict_array(model, false, 'labels', inputs::text[], budget);
end $$;

comment on function rafiki_predict_rows(text, jsonb[], interval) is $$Like rafiki_predict for one row, but for many jsonb objects in one call. To make jsonb of rows takes PostgreSQL longer
than all else: for rows of a table, rafiki_predict_many(model, array_agg(to_json(c)::text)) is faster.

Arguments:
  model: name of a model of a task tabular_… that you own or were granted
  inputs: the rows, as objects; a NULL element gives NULL
  budget: how long the call may take

Result: the labels, or the numbers, in the order of the rows

Errors:
  those of rafiki_predict for a row
  2202E: an array of more than one dimension

Example:
  select rafiki_predict_rows('customers_tabular_classification', array_agg(to_jsonb(c) order by c.id)) from customers c;$$;

-- Raises an error if the answers of a model are not numbers.
create or replace function rafiki._check_has_numbers(model text) returns void
language plpgsql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  task rafiki.task;
begin
  select t.* into task from rafiki.model m join rafiki.task t on t.name = m.task where m.name = model;
  if found and task.output <> 'number' then
    raise exception using errcode = 'wrong_object_type', message = format('model "%s" does not predict numbers', model),
      detail = format('Its task is %s.', task.name), hint = 'Use rafiki_predict, or train one for a task …_regression.';
  end if;
end $$;

create or replace function rafiki_predict_number(model text, input anynonarray, budget interval default null) returns float8
language plpgsql stable parallel safe cost 100
set search_path = pg_catalog, pg_temp
as $$
declare
  object constant text := to_json(input)::text;
  answer text := rafiki._take(model, object, current_user);
begin
  if answer is null then
    perform rafiki._check_has_numbers(model);
    answer := rafiki._predict_row(model, object, input, budget);
  end if;
  return answer::float8;
end $$;

create or replace function rafiki_predict_number(model text, input text, budget interval default null) returns float8
language plpgsql stable parallel safe cost 100
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._check_model_given(model);
  if input is null then
    return null;
  elsif ascii(input) = 123 then -- {
    perform rafiki._refuse_array(model, input);
  end if;
  perform rafiki._check_has_numbers(model);
  return coalesce(rafiki._take(model, input, current_user), rafiki._predict_one(false, model, input, input, budget))::float8;
end $$;

create or replace function rafiki_predict_number(model text, image bytea, budget interval default null) returns float8
language plpgsql stable parallel safe cost 100
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._check_has_numbers(model);
  return rafiki._predict_image(model, image, budget)::float8;
end $$;

comment on function rafiki_predict_number(text, bytea, interval) is $$Like rafiki_predict_number for a row, but for an image.

Example:
  select id, rafiki_predict_number('rated_image_regression', image) from rated;$$;
comment on function rafiki_predict_number(text, anynonarray, interval) is $$The number that the deployed version of a model predicts for a row of a table, a view or a sub-query, or for a json or jsonb
object.

Arguments:
  model: name of a model of a task …_regression that you own or were granted
  input: the row, or the object; NULL gives NULL
  budget: how long the call may take

Result: the number, in the unit of the column that the model learnt from

Errors:
  those of rafiki_predict for a row
  42809: the model does not predict numbers

Example:
  select city, avg(rafiki_predict_number('houses_tabular_regression', h)) from houses h group by city;$$;
comment on function rafiki_predict_number(text, text, interval) is $$Like rafiki_predict_number for a row, but for a text, or for an object without a type.

Example:
  select rafiki_predict_number('houses_tabular_regression', '{"city": "Bern", "rooms": 4}');$$;
