-- rafiki_predict for images, and rafiki_detect. Images are sent to the server in base64,
-- under the verbs of texts in lower case; caching, read-ahead and batches work as for texts.

create or replace function rafiki._image_text(image bytea) returns text
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if octet_length(image) > @max_image_bytes@ then
    raise exception using errcode = 'program_limit_exceeded', message = 'an image is too large',
      detail = format('It has %s bytes; the maximum is %s.', octet_length(image), @max_image_bytes@),
      hint = 'Give a smaller or more compressed one: models scale images to some hundred pixels a side.';
  end if;
  return encode(image, 'base64');
end $$;

create or replace function rafiki._predict_image(model text, image bytea, budget interval) returns text
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  input constant text := rafiki._image_text(image);
begin
  perform rafiki._check_model_given(model);
  if input is null then
    return null;
  end if;
  return coalesce(rafiki._take(model, input, current_user), rafiki._predict_one(true, model, input, image, budget));
end $$;

create or replace function rafiki_predict(model text, image bytea, budget interval default null) returns text
language plpgsql stable parallel safe cost 100
set search_path = pg_catalog, pg_temp
as $$
begin
  return rafiki._predict_image(model, image, budget);
end $$;

comment on function rafiki_predict(text, bytea, interval) is $$Like rafiki_predict for a text, but for an image: a JPEG, PNG, WebP, GIF, AVIF or TIFF file of 33,554,432 bytes at most
(54000). A file that cannot be read, or that has too many pixels, is an error (22000). For object detection the result is
what rafiki_detect returns, as a JSON array.

Example:
  select id, rafiki_predict('photos_image_classification', image) from photos;$$;

-- An array is split into parts, so that no request is longer than the server accepts. A
-- byte of an image takes at most 1.4 bytes as base64 in JSON (line breaks are written
-- as \n), and each image a few more. The last image of a part begins within part_bytes.
create or replace function rafiki_predict(model text, images bytea[], budget interval default null) returns text[]
language plpgsql stable parallel safe cost 1000
set search_path = pg_catalog, pg_temp
as $$
declare
  part_bytes constant int := @part_bytes@;
  part_rows constant int := @part_rows@;
  part text;
  labels text[] := '{}';
begin
  perform rafiki._check_model_given(model);
  if images is null then
    return null;
  elsif array_ndims(images) > 1 then
    raise exception using errcode = 'array_subscript_error', message = 'images has more than one dimension',
      detail = format('It has %s.', array_ndims(images)),
      hint = 'Give a plain array of images, such as: (select array_agg(image) from photos).';
  end if;
  for part in
    select json_agg(rafiki._image_text(i.image) order by i.place)
    from (select a.image, a.place, (sum(a.bytes) over (order by a.place) - a.bytes) / part_bytes as bytes_part, a.place / part_rows as rows_part
          from (select u.image, u.place, (octet_length(u.image) * 1.4)::int + 8 as bytes
                from unnest(images) with ordinality u(image, place) where u.image is not null) a) i
    group by i.rows_part, i.bytes_part order by i.rows_part, i.bytes_part
  loop
    labels := labels || rafiki._request(model, true, 'labels', rafiki._terms(budget), part)::text[];
  end loop;
  return case when cardinality(labels) = cardinality(images) then labels else rafiki._between_nulls(labels, images) end;
end $$;

comment on function rafiki_predict(text, bytea[], interval) is $$Like rafiki_predict for one image, but for many in one call: the fastest form. A NULL element gives NULL.

Example:
  select rafiki_predict('photos_image_classification', array_agg(image)) from photos;$$;

create or replace function rafiki_predict(model text, image bytea, budget text) returns text
language sql stable parallel safe
return rafiki.rafiki_predict(model, image, rafiki._untyped_budget(budget));

comment on function rafiki_predict(text, bytea, text) is $$Like rafiki_predict for an image, with the budget as an untyped literal.

Example:
  select rafiki_predict('photos_image_classification', image, '250 ms') from photos;$$;

create or replace function rafiki_predict(model text, images bytea[], budget text) returns text[]
language sql stable parallel safe
return rafiki.rafiki_predict(model, images, rafiki._untyped_budget(budget));

comment on function rafiki_predict(text, bytea[], text) is $$Like rafiki_predict for many images, with the budget as an untyped literal.

Example:
  select rafiki_predict('photos_image_classification', array_agg(image), '1 s') from photos;$$;

create or replace function rafiki._check_finds_objects(model text) returns void
language plpgsql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  task rafiki.task;
begin
  select t.* into task from rafiki.model m join rafiki.task t on t.name = m.task where m.name = model;
  if found and task.output <> 'boxes' then
    raise exception using errcode = 'wrong_object_type', message = format('model "%s" does not find objects', model),
      detail = format('Its task is %s.', task.name),
      hint = 'Use rafiki_predict, or train one with rafiki_train(''object_detection'', …).';
  end if;
end $$;

-- Objects with at least @clear_score@ are part of rafiki_predict's answer,
-- and so come from the server's cache; lower scores need the detail.
create or replace function rafiki_detect(
  model text, image bytea, min_score real default @clear_score@, budget interval default null
) returns table (label text, score real, x real, y real, w real, h real)
language plpgsql stable parallel safe cost 100 rows 10
set search_path = pg_catalog, pg_temp
as $$
declare
  boxes jsonb;
begin
  perform rafiki._check_model_given(model);
  if image is null or min_score is null then
    return;
  end if;
  perform rafiki._check_finds_objects(model);
  if min_score >= @clear_score@::real then
    boxes := rafiki._predict_image(model, image, budget);
  else
    boxes := rafiki._detail(model, true, rafiki._image_text(image), budget) -> 'boxes';
  end if;
  return query
    select b.* from jsonb_to_recordset(boxes) b (label text, score real, x real, y real, w real, h real)
    where b.score >= min_score;
end $$;

comment on function rafiki_detect(text, bytea, real, interval) is $$The objects that a model finds in an image, best first.

Arguments:
  model: name of a model for object_detection
  image: the bytes of an image file
  min_score: objects with a lower score are left out; no object has less than 0.05
  budget: how long the call may take

Result: label, score in [0, 1], and the box in pixels of the upright image: x and y of its top left corner, w and h

Errors:
  those of rafiki_predict
  42809: the model does not find objects

Example:
  select s.id, d.* from shelf s, rafiki_detect('shelf_object_detection', s.image) d;$$;
