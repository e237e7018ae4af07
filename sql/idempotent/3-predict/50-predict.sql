-- rafiki_predict and rafiki_predict_many: the label of a text, or of each of an array.

-- A driver that passes a list without a type passes the text of an array, and PostgreSQL takes what has no type for a text, whatever
-- other forms there are: the whole list would get one label. The regular expression is what text[] reads, but for the balance of inner
-- brackets; in "C", since one of a nondeterministic collation is an error.
create or replace function rafiki._refuse_array(input text) returns void
language plpgsql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  element constant text := e'[{[:space:]]*(?:"(?:[\\\\].|[^"\\\\])*"|(?:[\\\\].|[^{}",\\\\[:space:]])(?:[\\\\].|[^{}",\\\\])*)[}[:space:]]*';
begin
  if input collate "C" !~ format('^[{](?:[{}[:space:]]*|%1$s(?:,%1$s)*)[}]$', element)
     or rafiki._switch_setting('rafiki.array_literals') then
    return;
  end if;
  raise exception using errcode = 'datatype_mismatch', message = 'a list was given as one text',
    detail = format('It is %s. Without a type PostgreSQL takes it for a text, which would get one label.',
                    case when length(input) > 60 then left(input, 59) || '…' else input end),
    hint = 'Give the type of the list, as in $2::text[], or call rafiki_predict_many(model, $2). '
      'Where texts may look so: set rafiki.array_literals = on;';
end $$;

-- The search path is pinned here for all that these call, at 1 µs: nobody can put a function of his into other people's calls. As
-- SQL, which the planner inlines, it would save 1 µs a row, and take 25 µs of each statement that is planned for a single row.
-- COST: above that of the usual predicates, so that these run first, and low enough that 10,000 rows do not start JIT.
create or replace function rafiki_predict(model text, input text, budget interval default null) returns text
language plpgsql stable parallel safe cost 100
set search_path = pg_catalog, pg_temp
as $$
begin
  -- one expression for all that is rare, a null and what begins with {: a second one takes 0.8 µs of each row
  if (model is null or ascii(input) = 123) is not false then
    if model is null or input is null then
      return null;
    end if;
    perform rafiki._refuse_array(input);
  end if;
  return coalesce(rafiki._take(model, input, current_user), rafiki._predict_one(false, model, input, input, budget));
end $$;

comment on function rafiki_predict(text, text, interval) is $$The label of one text, as the deployed version of a model answers it. NULL gives NULL. Whole tables work well in this
plain form, which reads rows ahead; an array is the quickest. A label is a text: compare it with stars::text.

Arguments:
  model: name of a model that you own or were granted
  input: the text, 8,000,000 bytes at most
  budget: how long the call may take; without it the setting rafiki.latency_budget (50ms) holds, and rafiki.on_overdue
    says what becomes of a late one

Result: the label

Errors:
  42704: no such model, or none that you may use
  55000: it is still training, or not deployed
  08006: no server runs, or it does not answer
  57014: it would be late, and rafiki.on_overdue is error; or it was cancelled
  22023: a budget that is not positive, a setting that cannot be, or a model that reads images
  42804: a text that looks like a list that lost its type, such as {a,b} (see rafiki.array_literals)
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

comment on function rafiki_predict(text, text[], interval) is $$As rafiki_predict of one text, for many in one call: the quickest form. A NULL element gives NULL; an array of more than
one dimension is refused (2202E).

Example:
  select rafiki_predict('reviews_sentiment', array_agg(body)) from reviews;$$;

-- Never a second one of this name: with one only, a list needs no type.
create or replace function rafiki_predict_many(model text, inputs text[], budget interval default null) returns text[]
language plpgsql stable parallel safe cost 1000
set search_path = pg_catalog, pg_temp
as $$
begin
  return rafiki._predict_array(model, false, 'labels', inputs, budget);
end $$;

comment on function rafiki_predict_many(text, text[], interval) is $$The labels of a list of texts, under a name that no other function has: for drivers that pass lists without a type, as
$1.

Arguments:
  model: name of a model that you own or were granted
  inputs: the texts; a NULL element gives NULL
  budget: how long the call may take

Result: the labels, in the order of the texts

Errors:
  those of rafiki_predict
  2202E: an array of more than one dimension

Example:
  select rafiki_predict_many('reviews_sentiment', '{"a great film","an awful film"}');$$;

-- A budget that is written as a plain literal, as in rafiki_predict(m, body, '250 ms'): Postgres could not tell whether it is an interval
-- or a threshold (3-predict/60-details.sql), and takes a function of texts where there is one. The parsed bodies are bound to what they call, wherever
-- the API is.
create or replace function rafiki_predict(model text, input text, budget text) returns text
language sql stable parallel safe
return rafiki.rafiki_predict(model, input, budget::pg_catalog.interval);

comment on function rafiki_predict(text, text, text) is $$As rafiki_predict, with the budget as a literal without a type.

Example:
  select rafiki_predict('reviews_sentiment', 'a great film', '250 ms');$$;

create or replace function rafiki_predict(model text, inputs text[], budget text) returns text[]
language sql stable parallel safe
return rafiki.rafiki_predict(model, inputs, budget::pg_catalog.interval);

comment on function rafiki_predict(text, text[], text) is $$As rafiki_predict of many texts, with the budget as a literal without a type.

Example:
  select rafiki_predict('reviews_sentiment', array['a great film', 'an awful film'], '1 s');$$;

-- Anything else than what the other forms take, arrays aside: else the error would not say what to write. What has no type stays a
-- text, as do the types that PostgreSQL takes for one.
create or replace function rafiki._refuse_type(input regtype) returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using errcode = 'datatype_mismatch', message = format('a model reads texts or images, and no %s', input),
    hint = case when input in ('json'::regtype, 'jsonb'::regtype) then 'Take the text out of it, as in input ->> ''body'', or give input::text.'
                when input = 'record'::regtype or (select t.typtype from pg_type t where t.oid = input) = 'c'
                then 'Name one column of the row, or join several: concat_ws('' '', title, body).'
                else 'Give it as a text: rafiki_predict(model, input::text).' end;
end $$;

create or replace function rafiki_predict(model text, input anynonarray, budget interval default null) returns text
language plpgsql stable parallel safe cost 100
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._refuse_type(pg_typeof(input));
end $$;

comment on function rafiki_predict(text, anynonarray, interval) is $$As rafiki_predict, of anything that is neither a text nor an image: always an error (42804), which says what to cast, or
to take out of it.

Example:
  select rafiki_predict('reviews_sentiment', id::text) from reviews; -- without the cast it is refused$$;
