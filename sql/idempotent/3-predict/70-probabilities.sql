-- rafiki_probabilities: the probabilities of all classes. rafiki_predict_top: the most probable classes, as rows.

-- The probabilities in details; null for null.
create or replace function rafiki._probabilities(details jsonb[]) returns jsonb[]
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select array(select d.detail -> 'probabilities' from unnest(details) with ordinality d (detail, place) order by d.place)
$$;

create or replace function rafiki_probabilities(model text, input text, budget interval default null) returns jsonb
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
  perform rafiki._check_has_classes(model);
  return rafiki._detail(model, false, input, budget) -> 'probabilities';
end $$;

create or replace function rafiki_probabilities(model text, image bytea, budget interval default null) returns jsonb
language plpgsql stable parallel safe cost 100
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._check_model_given(model);
  if image is null then
    return null;
  end if;
  perform rafiki._check_has_classes(model);
  return rafiki._detail(model, true, rafiki._image_text(image), budget) -> 'probabilities';
end $$;

create or replace function rafiki_probabilities(model text, input anynonarray, budget interval default null) returns jsonb
language plpgsql stable parallel safe cost 100
set search_path = pg_catalog, pg_temp
as $$
declare
  object text;
begin
  perform rafiki._check_has_classes(model);
  object := rafiki._row_text(model, input);
  if object is null then
    return null;
  end if;
  return rafiki._detail(model, false, object, budget) -> 'probabilities';
end $$;

create or replace function rafiki_probabilities(model text, inputs text[], budget interval default null) returns jsonb[]
language plpgsql stable parallel safe cost 1000
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._check_has_classes(model);
  return rafiki._probabilities(rafiki._predict_array(model, false, 'details', inputs, budget)::jsonb[]);
end $$;

create or replace function rafiki_probabilities(model text, images bytea[], budget interval default null) returns jsonb[]
language plpgsql stable parallel safe cost 1000
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._check_has_classes(model);
  return rafiki._probabilities(rafiki._predict_array(model, true, 'details', rafiki._image_texts(images), budget)::jsonb[]);
end $$;

comment on function rafiki_probabilities(text, text, interval) is $$How probable each class is for a text. They are calibrated on validation rows. For an ensemble this is the mean
over its members, weighted if that is its rule (rafiki.models); where they vote, rafiki_predict returns the majority label.

Arguments:
  model: name of a model that you own or were granted
  input: the text, 8,000,000 bytes at most
  budget: how long the call may take

Result: the probability of each class, as one object: {"negative": 0.0213, "positive": 0.9787}

Errors:
  those of rafiki_predict
  42809: a model that finds objects has no probabilities of classes

Example:
  select rafiki_probabilities('reviews_sentiment', 'a great film') ->> 'pos';$$;
comment on function rafiki_probabilities(text, bytea, interval) is $$Like rafiki_probabilities for a text, but for an image.

Example:
  select id, rafiki_probabilities('photos_image_classification', image) from photos;$$;
comment on function rafiki_probabilities(text, anynonarray, interval) is $$Like rafiki_probabilities for a text, but for a row, or for a json or jsonb object.

Example:
  select id, rafiki_probabilities('customers_tabular_classification', c) ->> 'yes' from customers c;$$;
comment on function rafiki_probabilities(text, text[], interval) is $$Like rafiki_probabilities for one text, but for many in one call, in the order given. A NULL element gives NULL.

Example:
  select p ->> 'pos' from unnest(rafiki_probabilities('reviews_sentiment', (select array_agg(body) from reviews))) p;$$;
comment on function rafiki_probabilities(text, bytea[], interval) is $$Like rafiki_probabilities for one image, but for many in one call, in the order given. A NULL element gives NULL.

Example:
  select p from unnest(rafiki_probabilities('photos_image_classification', (select array_agg(image) from photos))) p;$$;

-- The top k classes of each detail: the label that rafiki_predict returns, then the others by probability.
-- The label goes first because in an ensemble the majority label need not have the highest mean probability.
create or replace function rafiki._top(details jsonb[], k int)
returns table (place bigint, rank int, label text, probability float8)
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select d.place, t.rank::int, t.label, t.probability
  from unnest(details) with ordinality d (detail, place)
  cross join lateral (
    select row_number() over (order by p.key = d.detail ->> 'label' desc, p.value::float8 desc, p.key) as rank,
           p.key as label, p.value::float8 as probability
    from jsonb_each_text(d.detail -> 'probabilities') p) t
  where t.rank <= k
  order by d.place, t.rank
$$;

-- The top k classes of each input.
create or replace function rafiki._predict_top(model text, is_image boolean, inputs text[], k int, budget interval)
returns table (place bigint, rank int, label text, probability float8)
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  details jsonb[];
begin
  if (k >= 1) is not true then
    raise exception using errcode = 'invalid_parameter_value', message = 'k must be at least 1',
      detail = format('It is %s.', coalesce(k::text, 'null')), hint = 'Say how many classes you want for each input.';
  end if;
  perform rafiki._check_has_classes(model);
  details := rafiki._predict_array(model, is_image, 'details', inputs, budget);
  return query select * from rafiki._top(details, k);
end $$;

create or replace function rafiki_predict_top(model text, input text, k int default 3, budget interval default null)
returns table (rank int, label text, probability float8)
language sql stable parallel safe cost 100 rows 3
set search_path = pg_catalog, pg_temp
as $$ select t.rank, t.label, t.probability from rafiki._predict_top(model, false, rafiki._one_text(model, input), k, budget) t $$;

create or replace function rafiki_predict_top(model text, input anynonarray, k int default 3, budget interval default null)
returns table (rank int, label text, probability float8)
language sql stable parallel safe cost 100 rows 3
set search_path = pg_catalog, pg_temp
as $$ select t.rank, t.label, t.probability from rafiki._predict_top(model, false, array[rafiki._row_text(model, input)], k, budget) t $$;

create or replace function rafiki_predict_top(model text, image bytea, k int default 3, budget interval default null)
returns table (rank int, label text, probability float8)
language sql stable parallel safe cost 100 rows 3
set search_path = pg_catalog, pg_temp
as $$ select t.rank, t.label, t.probability from rafiki._predict_top(model, true, rafiki._image_texts(array[image]), k, budget) t $$;

create or replace function rafiki_predict_top(model text, inputs text[], k int default 3, budget interval default null)
returns table (place bigint, rank int, label text, probability float8)
language sql stable parallel safe cost 1000
set search_path = pg_catalog, pg_temp
as $$ select * from rafiki._predict_top(model, false, inputs, k, budget) $$;

create or replace function rafiki_predict_top(model text, images bytea[], k int default 3, budget interval default null)
returns table (place bigint, rank int, label text, probability float8)
language sql stable parallel safe cost 1000
set search_path = pg_catalog, pg_temp
as $$ select * from rafiki._predict_top(model, true, rafiki._image_texts(images), k, budget) $$;

comment on function rafiki_predict_top(text, text, int, interval) is $$The k most probable classes of a text as rows, first the label that rafiki_predict returns. For many rows, give an array.

Arguments:
  model: name of a model that you own or were granted
  input: the text, 8,000,000 bytes at most
  k: how many classes, 1 or more
  budget: how long the call may take

Result: rank from 1, label, and its probability

Errors:
  those of rafiki_probabilities
  22023: k is less than 1

Example:
  select r.id, t.* from reviews r, rafiki_predict_top('reviews_sentiment', r.body, 2) t;$$;
comment on function rafiki_predict_top(text, bytea, int, interval) is $$Like rafiki_predict_top for a text, but for an image.

Example:
  select p.id, t.* from photos p, rafiki_predict_top('photos_image_classification', p.image, 2) t;$$;
comment on function rafiki_predict_top(text, anynonarray, int, interval) is $$Like rafiki_predict_top for a text, but for a row, or for a json or jsonb object.

Example:
  select c.id, t.* from customers c, rafiki_predict_top('customers_tabular_classification', c, 2) t;$$;
comment on function rafiki_predict_top(text, text[], int, interval) is $$Like rafiki_predict_top for one text, but for many in one call; place is the position of the text, from 1.

Example:
  select * from rafiki_predict_top('reviews_sentiment', (select array_agg(body order by id) from reviews), 2);$$;
comment on function rafiki_predict_top(text, bytea[], int, interval) is $$Like rafiki_predict_top for one image, but for many in one call; place is the position of the image, from 1.

Example:
  select * from rafiki_predict_top('photos_image_classification', (select array_agg(image order by id) from photos), 2);$$;
