-- How good the probabilities of a model are.

-- Of rows with the label, what was predicted, and the probabilities of all classes: the area under the ROC curve of
-- each class against the others, with mean ranks for equal probabilities, the mean over classes; the log loss with
-- its interval; and the expected calibration error, Σ n |accuracy − confidence| / N over 15 bins of the confidence in
-- what was predicted (Guo et al. 2017, On Calibration of Modern Neural Networks, equation 3). Probabilities come with
-- four digits, so one below 0.00005 counts as that. Once for all rows, and once more for those that were not trained
-- on, with a suffix. A last row has the confusion matrix in place of a score, as _evaluated_rows() returns it.
create or replace function rafiki._probability_scores(model text, source regclass, target name, feature name, z float8)
returns table (suffix text, metric text, value float8, low float8, high float8, evaluated jsonb)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with scored as materialized (
         select r.actual, d.label as predicted, r.trained, d.probabilities
         from rafiki._judged_rows(model, source, target, feature, 'details') r
         cross join lateral rafiki._label_and_probabilities(r.prediction::jsonb) d),
       part as (
         select s.suffix, j.actual, j.predicted, j.probabilities
         from scored j cross join lateral (values ('', true), ('_unseen', not j.trained)) s (suffix, is_in) where s.is_in),
       ranked as (
         select p.suffix, c.key, p.actual = c.key as is_own,
                rank() over w + (count(*) over (partition by p.suffix, c.key, c.value) - 1) / 2.0::float8 as rank
         from part p cross join lateral jsonb_each_text(p.probabilities) c window w as (partition by p.suffix, c.key order by c.value::float8)),
       area as (
         select r.suffix, count(*) filter (where r.is_own)::float8 as n, count(*) filter (where not r.is_own) as m,
                sum(r.rank) filter (where r.is_own) as ranks from ranked r group by r.suffix, r.key),
       loss as (
         select p.suffix, -ln(greatest(0.00005, coalesce((p.probabilities ->> p.actual)::float8, 0))) as loss from part p),
       bin as (
         select p.suffix, count(*) as n, sum((p.predicted = p.actual)::int) as hits, sum((p.probabilities ->> p.predicted)::float8) as confidence
         from part p group by p.suffix, least(15, width_bucket((p.probabilities ->> p.predicted)::float8, 0, 1, 15)))
  select a.suffix, 'auc', avg((a.ranks - a.n * (a.n + 1) / 2) / (a.n * a.m)), null::float8, null::float8, null::jsonb
  from area a where a.n > 0 and a.m > 0 group by a.suffix
  union all
  select l.suffix, 'log_loss', avg(l.loss), greatest(0, avg(l.loss) - z * stddev_samp(l.loss) / sqrt(count(*))),
         avg(l.loss) + z * stddev_samp(l.loss) / sqrt(count(*)), null
  from loss l group by l.suffix
  union all
  select b.suffix, 'calibration_error', sum(abs(b.hits - b.confidence)) / sum(b.n), null, null, null from bin b group by b.suffix
  union all
  select null, null, null, null, null, coalesce(jsonb_agg(c), '[]')
  from (select j.actual, j.predicted, j.trained, count(*) as row_count from scored j group by 1, 2, 3) c
$$;
