-- rafiki_predict with a threshold: labels only if they are probable enough.

-- The labels in details, with `otherwise` in place of those below the threshold; null for null.
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
  perform rafiki._check_model_given(model);
  if inputs is null then
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
as $$ select (rafiki._predict_sure(model, false, rafiki._one_text(model, input), threshold, otherwise, budget))[1] $$;

create or replace function rafiki_predict(
  model text, input anynonarray, threshold float8, otherwise text default null, budget interval default null
) returns text
language sql stable parallel safe cost 100
set search_path = pg_catalog, pg_temp
as $$ select (rafiki._predict_sure(model, false, array[rafiki._row_text(model, input)], threshold, otherwise, budget))[1] $$;

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

comment on function rafiki_predict(text, text, float8, text, interval) is $$Like rafiki_predict, but a label less probable than threshold becomes NULL, or the text given as otherwise. A threshold
outside 0 to 1 is an error (22023). For many rows, give an array.

Example:
  select body, rafiki_predict('reviews_sentiment', body, threshold => 0.9, otherwise => 'unsure') from reviews;$$;
comment on function rafiki_predict(text, anynonarray, float8, text, interval) is $$Like rafiki_predict for a row, with NULL, or the text given as otherwise, if the label is less probable than threshold.

Example:
  select id, rafiki_predict('customers_tabular_classification', c, threshold => 0.9, otherwise => 'unsure') from customers c;$$;
comment on function rafiki_predict(text, bytea, float8, text, interval) is $$Like rafiki_predict for an image, with NULL, or the text given as otherwise, if the label is less probable than
threshold.

Example:
  select id, rafiki_predict('photos_image_classification', image, threshold => 0.9) from photos;$$;
comment on function rafiki_predict(text, text[], float8, text, interval) is $$Like rafiki_predict for many texts, with NULL, or the text given as otherwise, for each label less probable than
threshold.

Example:
  select rafiki_predict('reviews_sentiment', array_agg(body), threshold => 0.9) from reviews;$$;
comment on function rafiki_predict(text, bytea[], float8, text, interval) is $$Like rafiki_predict for many images, with NULL, or the text given as otherwise, for each label less probable than
threshold.

Example:
  select rafiki_predict('photos_image_classification', array_agg(image), threshold => 0.9) from photos;$$;
