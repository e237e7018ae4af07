-- More than the label: all that is known of an answer, the probabilities of all classes, the first few of them as rows, and labels that
-- are sure enough. Each for one input and for arrays; of texts, and of images.

-- All that is known of the answer to one input.
create or replace function rafiki._detail(model text, is_image boolean, input text, budget interval) returns jsonb
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return rafiki._request(model, is_image, 'detail', rafiki._terms(budget), input);
end $$;

-- The files of images as a request has them; null for null.
create or replace function rafiki._image_texts(images bytea[]) returns text[]
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if array_ndims(images) > 1 then
    raise exception using errcode = 'array_subscript_error', message = 'images has more than one dimension',
      detail = format('It has %s.', array_ndims(images)),
      hint = 'Give a plain array of images, such as: (select array_agg(image) from photos).';
  end if;
  return array(select rafiki._image_text(i.image) from unnest(images) with ordinality i (image, place) order by i.place);
end $$;

-- The array of one text, unless that is a list which lost its type.
create or replace function rafiki._one_text(input text) returns text[]
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if ascii(input) = 123 then -- {
    perform rafiki._refuse_array(input);
  end if;
  return array[input];
end $$;

-- Stops where the answers of a model are no labels with probabilities.
create or replace function rafiki._check_has_classes(model text) returns void
language plpgsql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (select from rafiki.model m join rafiki.task t on t.name = m.task where m.name = model and t.output = 'boxes') then
    raise exception using errcode = 'wrong_object_type', message = format('model "%s" has no probabilities of classes', model),
      detail = 'It finds objects, each with a score of its own.',
      hint = 'Use rafiki_detect(model, image, min_score), or rafiki_predict_detail.';
  end if;
end $$;

create or replace function rafiki_predict_detail(model text, input text, budget interval default null) returns jsonb
language plpgsql stable parallel safe cost 100
set search_path = pg_catalog, pg_temp
as $$
begin
  if input is null or model is null then
    return null;
  elsif ascii(input) = 123 then -- {
    perform rafiki._refuse_array(input);
  end if;
  return rafiki._detail(model, false, input, budget);
end $$;

create or replace function rafiki_predict_detail(model text, image bytea, budget interval default null) returns jsonb
language plpgsql stable parallel safe cost 100
set search_path = pg_catalog, pg_temp
as $$
begin
  if image is null or model is null then
    return null;
  end if;
  return rafiki._detail(model, true, rafiki._image_text(image), budget);
end $$;

create or replace function rafiki_predict_detail(model text, inputs text[], budget interval default null) returns jsonb[]
language plpgsql stable parallel safe cost 1000
set search_path = pg_catalog, pg_temp
as $$
begin
  return rafiki._predict_array(model, false, 'details', inputs, budget);
end $$;

create or replace function rafiki_predict_detail(model text, images bytea[], budget interval default null) returns jsonb[]
language plpgsql stable parallel safe cost 1000
set search_path = pg_catalog, pg_temp
as $$
begin
  return rafiki._predict_array(model, true, 'details', rafiki._image_texts(images), budget);
end $$;

comment on function rafiki_predict_detail(text, text, interval) is $$As rafiki_predict, with all that is known of the answer. For many rows, give an array.

Arguments:
  model: name of a model that you own or were granted
  input: the text, 8,000,000 bytes at most
  budget: how long the call may take

Result: label, probabilities of all classes, versions that answered, size of the batch, milliseconds, and whether it was
overdue, as one object

Errors:
  those of rafiki_predict

Example:
  select rafiki_predict_detail('reviews_sentiment', 'a great film') -> 'probabilities';$$;
comment on function rafiki_predict_detail(text, bytea, interval) is $$As rafiki_predict_detail of a text, for an image. For object detection it has the boxes, with the doubtful ones among
them, in place of label and probabilities.

Example:
  select id, rafiki_predict_detail('photos_image_classification', image) ->> 'ms' from photos;$$;
comment on function rafiki_predict_detail(text, text[], interval) is $$As rafiki_predict_detail of one text, for many in one call, in the order given. A NULL element gives NULL.

Example:
  select d ->> 'label' from unnest(rafiki_predict_detail('reviews_sentiment', (select array_agg(body) from reviews))) d;$$;
comment on function rafiki_predict_detail(text, bytea[], interval) is $$As rafiki_predict_detail of one image, for many in one call, in the order given. A NULL element gives NULL.

Example:
  select d ->> 'label' from unnest(rafiki_predict_detail('photos_image_classification', (select array_agg(image) from photos))) d;$$;

create or replace function rafiki_predict_detail(model text, input anynonarray, budget interval default null) returns jsonb
language plpgsql stable parallel safe cost 100
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._refuse_type(pg_typeof(input));
end $$;

comment on function rafiki_predict_detail(text, anynonarray, interval) is $$As rafiki_predict_detail, of anything that is neither a text nor an image: always an error (42804), which says what to
cast, or to take out of it.

Example:
  select rafiki_predict_detail('reviews_sentiment', id::text) from reviews; -- without the cast it is refused$$;

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
  if input is null or model is null then
    return null;
  elsif ascii(input) = 123 then -- {
    perform rafiki._refuse_array(input);
  end if;
  perform rafiki._check_has_classes(model);
  return rafiki._detail(model, false, input, budget) -> 'probabilities';
end $$;

create or replace function rafiki_probabilities(model text, image bytea, budget interval default null) returns jsonb
language plpgsql stable parallel safe cost 100
set search_path = pg_catalog, pg_temp
as $$
begin
  if image is null or model is null then
    return null;
  end if;
  perform rafiki._check_has_classes(model);
  return rafiki._detail(model, true, rafiki._image_text(image), budget) -> 'probabilities';
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

comment on function rafiki_probabilities(text, text, interval) is $$How probable each class is for a text. Of several models that answer together it is the mean, while rafiki_predict gives
the label that most of them say.

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
comment on function rafiki_probabilities(text, bytea, interval) is $$As rafiki_probabilities of a text, for an image.

Example:
  select id, rafiki_probabilities('photos_image_classification', image) from photos;$$;
comment on function rafiki_probabilities(text, text[], interval) is $$As rafiki_probabilities of one text, for many in one call, in the order given. A NULL element gives NULL.

Example:
  select p ->> 'pos' from unnest(rafiki_probabilities('reviews_sentiment', (select array_agg(body) from reviews))) p;$$;
comment on function rafiki_probabilities(text, bytea[], interval) is $$As rafiki_probabilities of one image, for many in one call, in the order given. A NULL element gives NULL.

Example:
  select p from unnest(rafiki_probabilities('photos_image_classification', (select array_agg(image) from photos))) p;$$;

-- The first few classes of details: what rafiki_predict says, then by probability. In an ensemble the label that most say need not be
-- the one of the highest mean.
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

-- The same of inputs, asked for now.
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
      detail = format('It is %s.', coalesce(k::text, 'null')), hint = 'Say how many classes you want to see of each input.';
  end if;
  perform rafiki._check_has_classes(model);
  details := rafiki._predict_array(model, is_image, 'details', inputs, budget);
  return query select * from rafiki._top(details, k);
end $$;

create or replace function rafiki_predict_top(model text, input text, k int default 3, budget interval default null)
returns table (rank int, label text, probability float8)
language sql stable parallel safe cost 100 rows 3
set search_path = pg_catalog, pg_temp
as $$ select t.rank, t.label, t.probability from rafiki._predict_top(model, false, rafiki._one_text(input), k, budget) t $$;

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

comment on function rafiki_predict_top(text, text, int, interval) is $$The k most probable classes of a text as rows, what rafiki_predict says first. For many rows, give an array.

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
comment on function rafiki_predict_top(text, bytea, int, interval) is $$As rafiki_predict_top of a text, for an image.

Example:
  select p.id, t.* from photos p, rafiki_predict_top('photos_image_classification', p.image, 2) t;$$;
comment on function rafiki_predict_top(text, text[], int, interval) is $$As rafiki_predict_top of one text, for many in one call; place says which text, from 1.

Example:
  select * from rafiki_predict_top('reviews_sentiment', (select array_agg(body order by id) from reviews), 2);$$;
comment on function rafiki_predict_top(text, bytea[], int, interval) is $$As rafiki_predict_top of one image, for many in one call; place says which image, from 1.

Example:
  select * from rafiki_predict_top('photos_image_classification', (select array_agg(image order by id) from photos), 2);$$;

-- The labels in details that are probable enough, and what the caller wants to read in place of others; null for null.
create or replace function rafiki._sure_labels(details jsonb[], threshold float8, otherwise text) returns text[]
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select array(
    select case when d.detail is null then null
                when (d.detail -> 'probabilities' ->> (d.detail ->> 'label'))::float8 >= threshold then d.detail ->> 'label'
                else otherwise end
    from unnest(details) with ordinality d (detail, place) order by d.place)
$$;

create or replace function rafiki._predict_sure(
  model text, is_image boolean, inputs text[], threshold float8, otherwise text, budget interval
) returns text[]
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  details jsonb[];
begin
  if inputs is null or model is null then
    return null;
  elsif (threshold between 0 and 1) is not true then
    raise exception using errcode = 'invalid_parameter_value', message = 'a threshold is a probability, from 0 to 1',
      detail = format('It is %s.', coalesce(threshold::text, 'null')), hint = 'Give one such as threshold => 0.9.';
  end if;
  perform rafiki._check_has_classes(model);
  details := rafiki._predict_array(model, is_image, 'details', inputs, budget);
  return rafiki._sure_labels(details, threshold, otherwise);
end $$;

create or replace function rafiki_predict(
  model text, input text, threshold float8, otherwise text default null, budget interval default null
) returns text
language sql stable parallel safe cost 100
set search_path = pg_catalog, pg_temp
as $$ select (rafiki._predict_sure(model, false, rafiki._one_text(input), threshold, otherwise, budget))[1] $$;

create or replace function rafiki_predict(
  model text, image bytea, threshold float8, otherwise text default null, budget interval default null
) returns text
language sql stable parallel safe cost 100
set search_path = pg_catalog, pg_temp
as $$ select (rafiki._predict_sure(model, true, rafiki._image_texts(array[image]), threshold, otherwise, budget))[1] $$;

create or replace function rafiki_predict(
  model text, inputs text[], threshold float8, otherwise text default null, budget interval default null
) returns text[]
language sql stable parallel safe cost 1000
set search_path = pg_catalog, pg_temp
as $$ select rafiki._predict_sure(model, false, inputs, threshold, otherwise, budget) $$;

create or replace function rafiki_predict(
  model text, images bytea[], threshold float8, otherwise text default null, budget interval default null
) returns text[]
language sql stable parallel safe cost 1000
set search_path = pg_catalog, pg_temp
as $$ select rafiki._predict_sure(model, true, rafiki._image_texts(images), threshold, otherwise, budget) $$;

comment on function rafiki_predict(text, text, float8, text, interval) is $$As rafiki_predict, but says so where the model is not sure: a label less probable than threshold becomes NULL, or the
word given as otherwise. A threshold that is no probability is refused (22023). For many rows, give an array.

Example:
  select body, rafiki_predict('reviews_sentiment', body, threshold => 0.9, otherwise => 'unsure') from reviews;$$;
comment on function rafiki_predict(text, bytea, float8, text, interval) is $$As rafiki_predict of an image, with NULL, or the word given as otherwise, where the label is less probable than
threshold.

Example:
  select id, rafiki_predict('photos_image_classification', image, threshold => 0.9) from photos;$$;
comment on function rafiki_predict(text, text[], float8, text, interval) is $$As rafiki_predict of many texts, with NULL, or the word given as otherwise, where a label is less probable than
threshold.

Example:
  select rafiki_predict('reviews_sentiment', array_agg(body), threshold => 0.9) from reviews;$$;
comment on function rafiki_predict(text, bytea[], float8, text, interval) is $$As rafiki_predict of many images, with NULL, or the word given as otherwise, where a label is less probable than
threshold.

Example:
  select rafiki_predict('photos_image_classification', array_agg(image), threshold => 0.9) from photos;$$;
