-- rafiki_explain: what each column, word or patch of an input adds
-- to the answer. The server computes it (docs/decisions/0036).

-- The explanation of one input, with the value of each column; null if the server has none in time.
create or replace function rafiki._explanation(model text, is_image boolean, input text, class text, budget interval) returns jsonb
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  task rafiki.task;
  found_parts jsonb;
  given json;
begin
  select t.* into task from rafiki.model m join rafiki.task t on t.name = m.task where m.name = model;
  if task.output = 'boxes' then
    raise exception using errcode = 'wrong_object_type', message = format('model "%s" finds objects, which are not explained', model),
      detail = format('Its task is %s.', task.name), hint = 'Explain a model that answers with a class or a number.';
  elsif task.output = 'number' and class is not null then
    raise exception using errcode = 'wrong_object_type', message = format('model "%s" predicts numbers, not classes', model),
      detail = format('Its task is %s.', task.name), hint = 'Leave class out.';
  end if;
  found_parts := rafiki._request(model, is_image, 'explanation', rafiki._terms(budget), concat(to_json(class), e'\x1f', input));
  if task.input <> 'columns' or found_parts is null then
    return found_parts;
  end if;
  given := input; -- parsed once
  return jsonb_set(found_parts, '{contributions}', coalesce((
    select jsonb_agg(p.part || jsonb_build_object('value', given ->> (p.part ->> 'feature')) order by p.place)
    from jsonb_array_elements(found_parts -> 'contributions') with ordinality p (part, place)), '[]'));
end $$;

-- An explanation as rows; the last one has the base.
create or replace function rafiki._explanation_rows(explanation jsonb)
returns table (feature text, value text, contribution float8)
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select p.part ->> 'feature', p.part ->> 'value', (p.part ->> 'contribution')::float8
  from (
    select c.part, c.place from jsonb_array_elements(explanation -> 'contributions') with ordinality c (part, place)
    union all
    select jsonb_build_object('feature', '(base)', 'value', explanation ->> 'class', 'contribution', explanation -> 'base'), null) p
  order by p.place nulls last
$$;

create or replace function rafiki._explain_text(model text, input text, class text, budget interval) returns jsonb
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._check_model_given(model);
  if input is null then
    return null;
  elsif ascii(input) = 123 then -- {
    perform rafiki._refuse_array(model, input);
  end if;
  return rafiki._explanation(model, false, input, class, budget);
end $$;

create or replace function rafiki._explain_image(model text, image bytea, class text, budget interval) returns jsonb
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._check_model_given(model);
  if image is null then
    return null;
  end if;
  return rafiki._explanation(model, true, rafiki._image_text(image), class, budget);
end $$;

create or replace function rafiki._explain_row(model text, input anyelement, class text, budget interval) returns jsonb
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  object constant text := rafiki._row_text(model, input);
begin
  return case when object is not null then rafiki._explanation(model, false, object, class, budget) end;
end $$;

create or replace function rafiki_explain(model text, input text, class text default null, budget interval default null)
returns table (feature text, value text, contribution float8)
language sql stable parallel safe cost 1000 rows 20
set search_path = pg_catalog, pg_temp
as $$ select * from rafiki._explanation_rows(rafiki._explain_text(model, input, class, budget)) $$;

create or replace function rafiki_explain_detail(model text, input text, class text default null, budget interval default null) returns jsonb
language sql stable parallel safe cost 1000
set search_path = pg_catalog, pg_temp
as $$ select rafiki._explain_text(model, input, class, budget) $$;

create or replace function rafiki_explain(model text, image bytea, class text default null, budget interval default null)
returns table (feature text, value text, contribution float8)
language sql stable parallel safe cost 1000 rows 40
set search_path = pg_catalog, pg_temp
as $$ select * from rafiki._explanation_rows(rafiki._explain_image(model, image, class, budget)) $$;

create or replace function rafiki_explain_detail(model text, image bytea, class text default null, budget interval default null) returns jsonb
language sql stable parallel safe cost 1000
set search_path = pg_catalog, pg_temp
as $$ select rafiki._explain_image(model, image, class, budget) $$;

create or replace function rafiki_explain(model text, input anynonarray, class text default null, budget interval default null)
returns table (feature text, value text, contribution float8)
language sql stable parallel safe cost 1000 rows 20
set search_path = pg_catalog, pg_temp
as $$ select * from rafiki._explanation_rows(rafiki._explain_row(model, input, class, budget)) $$;

create or replace function rafiki_explain_detail(model text, input anynonarray, class text default null, budget interval default null) returns jsonb
language sql stable parallel safe cost 1000
set search_path = pg_catalog, pg_temp
as $$ select rafiki._explain_row(model, input, class, budget) $$;

comment on function rafiki_explain(text, anynonarray, text, interval) is $$Why the deployed version of a model answers as it does: what each column of a row adds to the answer. The sum is the log
odds of a class, ln(p / (1 - p)) for its probability p, or the number that is predicted. Shapley values: the values of a
forest and of a linear model are exact, others are sampled in an order that is always the same (docs/decisions/0036).

Arguments:
  model: name of a model that you own or were granted
  input: the row, or a json or jsonb object; NULL gives no rows
  class: the class that is explained; default: the predicted one
  budget: how long the call may take

Result: the columns with their values, the largest contributions first; and in a last row, (base), what the answer is
  on average if nothing is known, with the class as value

Errors:
  those of rafiki_predict for a row, 22004 for a NULL model included
  42809: the model finds objects; or it predicts numbers and class is given
  22023: there is no such class
  0A000: the model was trained by a version that explained none

Example:
  select c.id, e.* from customers c, rafiki_explain('customers_tabular_classification', c) e;$$;
comment on function rafiki_explain(text, text, text, interval) is $$Like rafiki_explain for a row, but for a text: what its words add, compared with a text without them. A text has at most
64 parts, each of some words; one without any words is an error (22000). A JSON object without a type is a row.

Example:
  select * from rafiki_explain('reviews_sentiment', 'a great film', class => 'pos');$$;
comment on function rafiki_explain(text, bytea, text, interval) is $$Like rafiki_explain for a row, but for an image: what each of 36 patches adds, compared with one of the mean colour. Of a
larger image than 512 pixels a smaller copy is explained.

Example:
  select * from rafiki_explain('photos_image_classification', (select image from photos limit 1)) limit 5;$$;

comment on function rafiki_explain_detail(text, anynonarray, text, interval) is $$The same as rafiki_explain, as one object for programs.

Arguments:
  model: name of a model that you own or were granted
  input: the row, or a json or jsonb object; NULL gives NULL
  class: the class that is explained; default: the predicted one
  budget: how long the call may take

Result: one object with class (null: a number is explained), score, base, and contributions, an array of objects with
  feature, value and contribution, the largest first; base and contributions add up to score

Errors:
  those of rafiki_explain

Example:
  select rafiki_explain_detail('customers_tabular_classification', c) -> 'score' from customers c;$$;
comment on function rafiki_explain_detail(text, text, text, interval) is $$Like rafiki_explain_detail for a row, but for a text.

Example:
  select rafiki_explain_detail('reviews_sentiment', 'a great film') -> 'contributions';$$;
comment on function rafiki_explain_detail(text, bytea, text, interval) is $$Like rafiki_explain_detail for a row, but for an image: each contribution has its patch in pixels of the upright image, x, y,
w and h.

Example:
  select rafiki_explain_detail('photos_image_classification', image) -> 'contributions' from photos limit 1;$$;
