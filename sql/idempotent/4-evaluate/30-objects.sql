-- Average precision as in PASCAL VOC 2010 and later (Everingham et al. 2015, section 4.2.1): the
-- detections of a class in all images are ranked by score; each is a hit if the object that it overlaps
-- most was not found by a better detection; the result is the area under the precision-recall curve,
-- with precision made monotone from the right. Trials for object detection are scored in the same way.

create or replace function rafiki._overlap(ax float8, ay float8, aw float8, ah float8, bx float8, by float8, bw float8, bh float8)
returns float8
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select shared / (aw * ah + bw * bh - shared)
  from (select greatest(0, least(ax + aw, bx + bw) - greatest(ax, bx))
               * greatest(0, least(ay + ah, by + bh) - greatest(ay, by)) as shared) s
$$;

-- The average precision of each class that has objects, at two
-- minimum overlaps; `images` holds arrays of boxes by image.
create or replace function rafiki._average_precisions(images jsonb)
returns table (label text, min_overlap float8, value float8)
language sql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with image as (select i.value -> 'objects' as objects, i.value -> 'found' as found, i.id
                 from jsonb_array_elements(images) with ordinality i (value, id)),
       object as (
         select i.id, o.* from image i, rows from (
           jsonb_to_recordset(i.objects) as (label text, x float8, y float8, w float8, h float8)
         ) with ordinality o (label, x, y, w, h, place)),
       found as (
         select i.id, f.* from image i, rows from (
           jsonb_to_recordset(i.found) as (label text, score float8, x float8, y float8, w float8, h float8)
         ) with ordinality f (label, score, x, y, w, h, place)),
       nearest as (
         select f.label, f.score, f.id, f.place, n.object, n.overlap
         from found f
         left join lateral (
           select o.place as object, rafiki._overlap(f.x, f.y, f.w, f.h, o.x, o.y, o.w, o.h) as overlap
           from object o where o.id = f.id and o.label = f.label
           order by 2 desc, 1 limit 1) n on true),
       matched as (
         select n.*, t.min_overlap, n.overlap >= t.min_overlap and row_number() over (
             partition by t.min_overlap, n.id, n.label, n.object, n.overlap >= t.min_overlap
             order by n.score desc, n.id, n.place) = 1 as is_hit
         from nearest n cross join (values (0.5::float8), (0.75)) t (min_overlap)),
       ranked as (
         select j.label, j.min_overlap, j.is_hit, row_number() over by_score as rank,
                (count(*) filter (where j.is_hit) over by_score)::float8 / row_number() over by_score as precision
         from matched j
         window by_score as (partition by j.label, j.min_overlap order by j.score desc, j.id, j.place)),
       monotone as (
         select r.label, r.min_overlap, r.is_hit,
                max(r.precision) over (partition by r.label, r.min_overlap order by r.rank desc) as precision
         from ranked r)
  select c.label, t.min_overlap, coalesce(
      (select sum(m.precision) from monotone m
       where m.label = c.label and m.min_overlap = t.min_overlap and m.is_hit), 0) / c.objects
  from (select o.label, count(*) as objects from object o group by o.label) c
  cross join (values (0.5::float8), (0.75)) t (min_overlap)
$$;

-- Predicts the images one by one, including objects with a low score, which average precision needs.
create or replace function rafiki._object_metrics(model text, source regclass, target name, feature name)
returns table (metric text, value float8)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  columns record := rafiki._model_columns(model, source, target, feature);
  images jsonb;
begin
  execute format(
    'select jsonb_agg(jsonb_build_object(''objects'', %1$I, ''found'', rafiki._detail($1, true, rafiki._image_text(%2$s), ''1 h'') -> ''boxes'')) '
    'from %3$s where %1$I is not null and %2$s is not null', columns.target, columns.input, source)
    into images using model;
  perform rafiki._check_measurable(source, coalesce(jsonb_array_length(images), 0));
  return query
    with precision as materialized (select * from rafiki._average_precisions(images))
    select 'rows', jsonb_array_length(images)::float8
    union all
    select m.name, avg(p.value) from precision p join (values ('map50', 0.5), ('ap75', 0.75)) m (name, min_overlap)
      on m.min_overlap = p.min_overlap group by m.name
    union all
    select 'ap50:' || p.label, p.value from precision p where p.min_overlap = 0.5;
end $$;

create or replace function rafiki._evaluate(model text, source regclass, target name, feature name, confidence float8)
returns table (metric text, value float8, low float8, high float8)
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  z constant float8 := rafiki._z(confidence);
begin
  case ((rafiki._model_columns(model, source, target, feature)).task).output
    when 'boxes' then
      return query select m.metric, m.value, null::float8, null::float8 from rafiki._object_metrics(model, source, target, feature) m;
    when 'number' then return query select * from rafiki._number_metrics(model, source, target, feature, z);
    else return query select * from rafiki._class_metrics(model, source, target, feature, z);
  end case;
end $$;

create or replace function rafiki_evaluate(
  model text, source regclass, target name default null, feature name default null, confidence float8 default 0.95
) returns table (metric text, value float8, low float8, high float8)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select * from rafiki._evaluate(model, source, target, feature, confidence) $$;

comment on function rafiki_evaluate(text, regclass, name, name, float8) is $$How well a model does on labelled rows: accuracy and macro F1, and with up to 100 classes the log loss; without intervals,
the area under the ROC curve (auc, the mean over classes) and by how much the probability of what is predicted differs
from the share that is right (calibration_error; 0 is best). For numbers the share of the variance that is explained (r2;
0 is what their mean as the only answer would have), the root mean squared error and the mean absolute error; for objects the mean average precision at
overlaps of half (map50) and three quarters (ap75), and ap50 of each class. For your own models it also reports how many of
the rows the model was trained on, and the scores without them (accuracy_unseen, r2_unseen).

Arguments:
  model: name of a model that you own or were granted
  source: table or view with labelled rows, which the model has not seen
  target: its column of labels, of numbers, or of boxes; default: the only candidate by type and name
  feature: its column of texts or images; default: the only candidate; a model of several columns reads them by name
  confidence: the confidence level of the intervals: 0.9, 0.95 or 0.99

Result: each metric with the ends of its confidence interval

Errors:
  those of rafiki_predict
  42P01: the source does not exist
  42501: you may not read it, or one of its columns
  42702: several columns are candidates
  42703: no column is a candidate, or the named one does not exist
  22000: no label is a class of the model
  22023: an unsupported confidence

Example:
  select * from rafiki_evaluate('reviews_sentiment', 'test_reviews');$$;
