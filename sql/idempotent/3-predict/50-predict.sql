-- rafiki_predict and rafiki_predict_many: the label of one text, or of each text in an array.

-- Refuses a text that is an array literal. A driver that passes a list without a type sends an array
-- literal, and PostgreSQL resolves an untyped argument to text, whatever the overloads: the whole
-- list would get one label. The regular expression matches what text[] accepts, except that it does
-- not check whether inner brackets balance. Collation "C", because a nondeterministic one would be an
-- error. A model of several columns reads objects, of which {} is one: the server says what it lacks.
create or replace function rafiki._refuse_array(model text, input text) returns void
language plpgsql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  element constant text := e'[{[:space:]]*(?:"(?:[\\\\].|[^"\\\\])*"|(?:[\\\\].|[^{}",\\\\[:space:]])(?:[\\\\].|[^{}",\\\\])*)[}[:space:]]*';
begin
  if input collate "C" !~ format('^[{](?:[{}[:space:]]*|%1$s(?:,%1$s)*)[}]$', element)
     or rafiki._switch_setting('rafiki.array_literals')
     or exists (select from rafiki.model m join rafiki.task t on t.name = m.task where m.name = model and t.input = 'columns') then
    return;
  end if;
  raise exception using errcode = 'datatype_mismatch', message = 'a list was given as one text',
    detail = format('It is %s. Without a type PostgreSQL takes it for a text, which would get one label.',
                    case when length(input) > 60 then left(input, 59) || '…' else input end),
    hint = 'Give the type of the list, as in $2::text[], or call rafiki_predict_many(model, $2). '
      'Where texts may look so: set rafiki.array_literals = on;';
end $$;

-- The pinned search path costs 1 µs and also covers the functions called from here, so that no role
-- can plant a function in another role's calls. As an inlined SQL function this would save 1 µs per
-- row, but add 25 µs to the planning of each single-row statement. COST is above that of ordinary
-- predicates, so that those run first, and low enough that 10,000 rows do not trigger JIT.
create or replace function rafiki_predict(model text, input text, budget interval default null) returns text
language plpgsql stable parallel safe cost 100
set search_path = pg_catalog, pg_temp
as $$
begin
  -- one expression for both rare cases, a null and a text that
  -- begins with {: a second expression would cost 0.8 µs per row
  if (model is null or ascii(input) = 123) is not false then
    perform rafiki._check_model_given(model);
    if input is null then
      return null;
    end if;
    perform rafiki._refuse_array(model, input);
  end if;
  return coalesce(rafiki._take(model, input, current_user), rafiki._predict_one(false, model, input, input, budget));
end $$;

comment on function rafiki_predict(text, text, interval) is $$The label that the deployed version of a model predicts for one text. NULL gives NULL. This form reads rows ahead, so it
is fast for whole tables, too; an array is the fastest. A label is a text: compare it with stars::text.

Arguments:
  model: name of a model that you own or were granted
  input: the text, 8,000,000 bytes at most
  budget: how long the call may take; default: the setting rafiki.latency_budget (50ms). The setting rafiki.on_overdue
    says what happens when it takes longer

Result: the label

Errors:
  42704: no such model, or you may not use it
  55000: it is still training, or not deployed
  08006: no server is running, or it does not answer
  53300: the server has as many sessions as it takes (1,000; rafiki serve --bridge-sessions)
  57014: the answer would be overdue, and rafiki.on_overdue is error; or the call was cancelled. PL/pgSQL catches it by name only:
    EXCEPTION WHEN query_canceled
  53400: too many calls wait for the model, or more than a minute's work of late ones (rafiki.on_overdue is answer)
  22004: the model is NULL
  22023: the budget is not positive, a setting has an invalid value, or the model reads images
  42804: the text looks like an array without its type, such as {a,b} (see rafiki.array_literals)
  54000: the text is too large
  40001: rights to the model have changed since the transaction began

Example:
  select body, rafiki_predict('reviews_sentiment', body) from reviews;$$;

create or replace function rafiki_predict(model text, inputs text[], budget interval default null) returns text[]
language plpgsql stable parallel safe cost 1000
set search_path = pg_catalog, pg_temp
as $$
begin
  return rafiki._predict_array(model, false, 'labels', inputs, budget);
end $$;

comment on function rafiki_predict(text, text[], interval) is $$Like rafiki_predict for one text, but for many in one call: the fastest form. A NULL element gives NULL; an array of more
than one dimension is an error (2202E).

Example:
  select rafiki_predict('reviews_sentiment', array_agg(body)) from reviews;$$;

-- This function must never be overloaded: as long as it is the only one of its name, a list needs no type.
create or replace function rafiki_predict_many(model text, inputs text[], budget interval default null) returns text[]
language plpgsql stable parallel safe cost 1000
set search_path = pg_catalog, pg_temp
as $$
begin
  return rafiki._predict_array(model, false, 'labels', inputs, budget);
end $$;

comment on function rafiki_predict_many(text, text[], interval) is $$The labels of a list of texts, or of rows, each as a JSON object in a text. This function has no overloads, so that drivers
can pass a list without a type, as $1. For rows of a table it is the fastest form.

Arguments:
  model: name of a model that you own or were granted
  inputs: the texts; a NULL element gives NULL
  budget: how long the call may take

Result: the labels, in the order of the texts

Errors:
  those of rafiki_predict
  2202E: an array of more than one dimension

Example:
  select rafiki_predict_many('reviews_sentiment', '{"a great film","an awful film"}');
  select rafiki_predict_many('customers_tabular_classification', array_agg(to_json(c)::text order by c.id)) from customers c;$$;

-- A budget without a type. To an interval a number alone is seconds, but who gives one means a threshold: a
-- driver that leaves out types sends the 0.9 of rafiki_predict($1, $2, $3) as a text. Collation "C" as above.
create or replace function rafiki._untyped_budget(budget text) returns interval
language plpgsql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if budget collate "C" ~ '^[[:space:]]*[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)(e[+-]?[0-9]+)?[[:space:]]*$' then
    raise exception using errcode = 'invalid_parameter_value', message = 'a latency budget needs a unit',
      detail = format('It is %s.', budget), hint = 'A threshold is given by name: threshold => 0.9. A budget has a unit, as in ''50 ms''.';
  end if;
  return budget::interval;
end $$;

-- Overloads for a budget written as an untyped literal, as in rafiki_predict(m, body, '250 ms'). Without them the call
-- would be ambiguous between an interval and a threshold (75-thresholds.sql); PostgreSQL prefers an overload that
-- takes text. The parsed bodies are bound to the functions that they call, even if the API moves to another schema.
create or replace function rafiki_predict(model text, input text, budget text) returns text
language sql stable parallel safe
return rafiki.rafiki_predict(model, input, rafiki._untyped_budget(budget));

comment on function rafiki_predict(text, text, text) is $$Like rafiki_predict, with the budget as an untyped literal. A number without a unit is an error (22023): a threshold is
given by name.

Example:
  select rafiki_predict('reviews_sentiment', 'a great film', '250 ms');$$;

create or replace function rafiki_predict(model text, inputs text[], budget text) returns text[]
language sql stable parallel safe
return rafiki.rafiki_predict(model, inputs, rafiki._untyped_budget(budget));

comment on function rafiki_predict(text, text[], text) is $$Like rafiki_predict for many texts, with the budget as an untyped literal.

Example:
  select rafiki_predict('reviews_sentiment', array['a great film', 'an awful film'], '1 s');$$;
