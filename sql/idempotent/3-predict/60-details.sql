-- rafiki_predict_detail: the complete answer, not only the
-- label. For one input and for arrays; for texts and for images.

create or replace function rafiki._detail(model text, is_image boolean, input text, budget interval) returns jsonb
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return rafiki._request(model, is_image, 'detail', rafiki._terms(budget), input);
end $$;

-- Image files in the encoding of a request; null for null.
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

-- An array of the one text; an error if the text is an array literal.
create or replace function rafiki._one_text(model text, input text) returns text[]
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if ascii(input) = 123 then -- {
    perform rafiki._refuse_array(model, input);
  end if;
  return array[input];
end $$;

-- Raises an error if the answers of a model have no class probabilities.
create or replace function rafiki._check_has_classes(model text) returns void
language plpgsql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (select from rafiki.model m join rafiki.task t on t.name = m.task where m.name = model and t.output <> 'label') then
    raise exception using errcode = 'wrong_object_type', message = format('model "%s" has no probabilities of classes', model),
      detail = case rafiki._output((select m.task from rafiki.model m where m.name = model)) when 'boxes' then 'It finds objects, each with a score of its own.'
                                                                                              else 'It predicts numbers.' end,
      hint = case rafiki._output((select m.task from rafiki.model m where m.name = model)) when 'boxes' then 'Use rafiki_detect(model, image, min_score), or rafiki_predict_detail.'
                                                                                           else 'Use rafiki_predict_number(model, input).' end;
  end if;
end $$;

create or replace function rafiki_predict_detail(model text, input text, budget interval default null) returns jsonb
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
  return rafiki._detail(model, false, input, budget);
end $$;

create or replace function rafiki_predict_detail(model text, image bytea, budget interval default null) returns jsonb
language plpgsql stable parallel safe cost 100
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._check_model_given(model);
  if image is null then
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

comment on function rafiki_predict_detail(text, text, interval) is $$Like rafiki_predict, but returns the complete answer. For many rows, give an array.

Arguments:
  model: name of a model that you own or were granted
  input: the text, 8,000,000 bytes at most
  budget: how long the call may take

Result: one object with the label, the probabilities of all classes, the versions that answered, the rule by which their
members decided together (best, vote, weighted), the members with their scores and weights, the size of the batch, the
milliseconds taken, and whether the answer was overdue

Errors:
  those of rafiki_predict

Example:
  select rafiki_predict_detail('reviews_sentiment', 'a great film') -> 'probabilities';$$;
comment on function rafiki_predict_detail(text, bytea, interval) is $$Like rafiki_predict_detail for a text, but for an image. For object detection the result has boxes, including those with
a low score, in place of label and probabilities.

Example:
  select id, rafiki_predict_detail('photos_image_classification', image) ->> 'ms' from photos;$$;
comment on function rafiki_predict_detail(text, text[], interval) is $$Like rafiki_predict_detail for one text, but for many in one call, in the order given. A NULL element gives NULL.

Example:
  select d ->> 'label' from unnest(rafiki_predict_detail('reviews_sentiment', (select array_agg(body) from reviews))) d;$$;
comment on function rafiki_predict_detail(text, bytea[], interval) is $$Like rafiki_predict_detail for one image, but for many in one call, in the order given. A NULL element gives NULL.

Example:
  select d ->> 'label' from unnest(rafiki_predict_detail('photos_image_classification', (select array_agg(image) from photos))) d;$$;

create or replace function rafiki_predict_detail(model text, input anynonarray, budget interval default null) returns jsonb
language plpgsql stable parallel safe cost 100
set search_path = pg_catalog, pg_temp
as $$
declare
  object text;
begin
  object := rafiki._row_text(model, input);
  if object is null then
    return null;
  end if;
  return rafiki._detail(model, false, object, budget);
end $$;

comment on function rafiki_predict_detail(text, anynonarray, interval) is $$Like rafiki_predict_detail for a text, but for a row, or for a json or jsonb object. For numbers the result has number in place of
label and probabilities.

Example:
  select id, rafiki_predict_detail('customers_tabular_classification', c) -> 'probabilities' from customers c;$$;
