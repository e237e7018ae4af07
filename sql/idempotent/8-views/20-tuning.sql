-- What a study has found out so far: rafiki_importance, rafiki_curve and rafiki_report.

-- The importance of each knob for the score, by PED-ANOVA (Watanabe, Bansal and Hutter 2023, equation 16):
-- the Pearson divergence Σ p (q/p − 1)² of the distribution q of the knob's values in the best quarter of
-- a family's trials from the distribution p in all its trials. Both are kernel densities on a grid, plus
-- the uniform prior with the weight of one trial; for a list, they are the shares of its values.
create or replace function rafiki._knob_divergence(study bigint)
returns table (family text, knob text, divergence float8, trials bigint)
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with trial as (
    select t.family, t.id, t.knobs, count(*) over own as n,
           rank() over (own order by t.score desc) <= ceil(count(*) over own / 4.0) as good
    from (select t.id, t.family, t.knobs, t.score from rafiki.trial t where t.study_id = _knob_divergence.study and t.ended_at is not null and t.score is not null
          order by t.number desc limit 1000) t
    window own as (partition by t.family)
  ), value as ( -- the position of a value: in 0 … 1, or in the list
    select t.family, k.key as knob, t.id, t.n, t.good, k.value -> 'list' as list,
           case when k.value ? 'list' then (
             select v.place - 1 from jsonb_array_elements(k.value -> 'list') with ordinality v (value, place)
             where v.value = t.knobs -> k.key limit 1)
           when (k.value ->> 'log')::boolean then ln((t.knobs ->> k.key)::float8 / (k.value ->> 'min')::float8)
                                                  / ln((k.value ->> 'max')::float8 / (k.value ->> 'min')::float8)
           else ((t.knobs ->> k.key)::float8 - (k.value ->> 'min')::float8)
                / nullif((k.value ->> 'max')::float8 - (k.value ->> 'min')::float8, 0) end as x
    from trial t
    join rafiki.study s on s.id = _knob_divergence.study
    join rafiki.family f on f.task = s.task and f.name = t.family
    cross join jsonb_each(f.knobs) k
    where t.n >= 8 and t.knobs ? k.key
  ), spread as ( -- bandwidth by Scott's rule, at least one cell
    select v.family, v.knob, v.list, v.n, g.good_only, count(*) as points,
           greatest(0.05, 1.06 * coalesce(stddev_samp(v.x), 0) * count(*) ^ -0.2) as h
    from value v
    join (select v.family, v.knob from value v group by v.family, v.knob having max(v.x) > min(v.x)) varied
      using (family, knob)
    join (values (false), (true)) g (good_only) on v.good or not g.good_only
    where v.x is not null
    group by v.family, v.knob, v.list, v.n, g.good_only
  ), mass as ( -- density of each point in each cell
    select p.family, p.knob, p.n, p.good_only, p.points, c.cell, c.cells,
           case when p.list is null then exp(-0.5 * (((c.cell + 0.5) / c.cells - v.x) / p.h) ^ 2)
                else (v.x = c.cell)::int end as mass, v.id
    from spread p
    cross join lateral (select coalesce(jsonb_array_length(p.list), 20) as cells) k
    cross join lateral (select i as cell, k.cells from generate_series(0, k.cells - 1) i) c
    join value v on v.family = p.family and v.knob = p.knob and v.x is not null and (v.good or not p.good_only)
  ), density as (
    select m.family, m.knob, m.n, m.good_only, m.cell, (sum(m.share) + 1.0 / m.cells) / (m.points + 1) as p
    from (select m.*, m.mass / sum(m.mass) over (partition by m.family, m.knob, m.good_only, m.id) as share from mass m) m
    group by m.family, m.knob, m.n, m.good_only, m.cell, m.cells, m.points
  )
  select a.family, a.knob, sum(a.p * (g.p / a.p - 1) ^ 2), a.n
  from density a join density g using (family, knob, cell)
  where not a.good_only and g.good_only
  group by a.family, a.knob, a.n
$$;

create or replace function rafiki._importance(study bigint)
returns table (family text, knob text, importance float8, trials bigint)
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  scored record;
begin
  if not exists (select from rafiki.study s where s.id = study) then
    perform rafiki._raise_no_study(study);
  end if;
  return query
    select d.family, d.knob,
           round((d.divergence / nullif(sum(d.divergence) over (partition by d.family), 0))::numeric, 3)::float8, d.trials
    from rafiki._knob_divergence(study) d
    order by d.trials desc, d.family, 3 desc nulls last, d.knob;
  if found then
    return;
  end if;
  select t.family, count(t.id) as trials, s.state into scored
  from rafiki.study s left join rafiki.trial t on t.study_id = s.id and t.ended_at is not null and t.score is not null
  where s.id = study group by t.family, s.state order by count(t.id) desc limit 1;
  raise notice 'study % cannot tell yet what its knobs decide: %', study,
    case when scored.family is null then 'no trial has ended with a score'
         when scored.trials < 8 then format('of the 8 scored trials that a family needs, %s has %s', scored.family, scored.trials)
         else format('no knob of %s varied', scored.family) end
    using hint = case when scored.state in ('queued', 'running') then 'Ask again later.'
                      else 'Train again with fewer families, or with more max_time and max_trials.' end;
end $$;

create or replace function rafiki_importance(study bigint)
returns table (family text, knob text, importance float8, trials bigint)
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select * from rafiki._importance(study) $$;

comment on function rafiki_importance(bigint) is $$Which knobs matter most for the score: for each family with at least 8 scored trials, the share of each knob (PED-ANOVA;
the shares of a family add up to 1). Knobs that did not vary are left out. With few trials the estimate is rough.

Arguments:
  study: its number

Result: for each knob its family, name, share, and the number of trials that it was estimated from

Errors:
  42704: no such study of yours

Example:
  select * from rafiki_importance(1);$$;

-- Draws a study: at most 80 columns, a dot for each trial and a line for the best score so far.
create or replace function rafiki._curve(study bigint) returns setof text
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  height constant int := 12;
  asked int := (select s.max_trials from rafiki.study s where s.id = study);
  total int;
  width int;
  best float8;
  low float8;
  high float8;
begin
  if asked is null then
    perform rafiki._raise_no_study(study);
  end if;
  select count(*), max(t.score), min(t.score), max(t.score) into total, best, low, high
  from rafiki.trial t where t.study_id = study and t.ended_at is not null and t.score is not null;
  if total = 0 then
    return next format('study %s: no trial has ended with a score yet', study);
    return;
  end if;
  if high = low then -- all scores are equal: the axis still needs a length
    low := greatest(low - 0.5, 0);
    high := greatest(high, low + 0.5);
  end if;
  width := least(64, greatest(total, total * (64 / total)));
  return next format('study %s: best score %s after %s of %s trials', study, round(best::numeric, 4), total, asked);
  return query
    with trial as (
      select t.score, max(t.score) over own as best, (row_number() over own - 1) as n
      from rafiki.trial t where t.study_id = study and t.ended_at is not null and t.score is not null
      window own as (order by t.ended_at, t.id)
    ), place as (
      select c as column, round((height - 1) * (max(t.best) - low) / (high - low)) as best,
             array_agg(round((height - 1) * (t.score - low) / (high - low))) filter (
               where c = t.n * width / total + (width / total) / 2 or width < total) as scores
      from generate_series(0, width - 1) c
      join trial t on case when width < total then t.n * width / total = c else t.n = c * total / width end
      group by c
    )
    select format('%s %s%s', lpad(round((low + (high - low) * r / (height - 1))::numeric, 3)::text, 9),
                  case when r = 0 then '┼' else '┤' end,
                  rtrim(string_agg(case when p.best = r then '━' when r = any (p.scores) then '·' else ' ' end, '' order by p.column)))
    from generate_series(height - 1, 0, -1) r cross join place p
    group by r order by r desc;
  return next repeat(' ', 11) || rpad('1', width - length(total::text)) || case when total > 1 then total::text else '' end;
end $$;

create or replace function rafiki_curve(study bigint) returns setof text
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select * from rafiki._curve(study) $$;

comment on function rafiki_curve(bigint) is $$Draws the scores of a study: a dot for each trial, a line for the best score so far, at most 80 columns. In psql, \watch
follows it.

Arguments:
  study: its number

Result: the lines of the drawing

Errors:
  42704: no such study of yours

Example:
  select * from rafiki_curve(1);$$;

-- Seconds of training behind the score of a trial, including those of the trials that it continues, and its
-- error, 1 - score. Only of completed trials: one that was stopped has the score of a high learning rate.
create or replace function rafiki._trained(study bigint)
returns table (id bigint, seconds float8, error float8)
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with recursive chain as (
    select t.id as last, t.parent_id, t.rung, t.seconds, 1 - t.score as error
    from rafiki.trial t where t.study_id = _trained.study and t.state = 'completed' and t.score is not null
    union all
    select c.last, p.parent_id, p.rung, p.seconds, c.error
    from chain c join rafiki.trial p on p.id = c.parent_id and c.rung > 1
  )
  select c.last, sum(c.seconds), min(c.error) from chain c group by c.last
$$;

-- What twice the time would likely bring. In rungs the errors e1, e2 of a trial and
-- of the one that continues it, after s1 and s2 seconds, give the exponent b of e =
-- a * s^-b, limited to 0 ... 0.5; a single trial is assumed to follow the usual one.
create or replace function rafiki._more_time(study bigint) returns text
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  usual_exponent constant float8 := 0.15;
  best record;
  exponent float8;
begin
  select t.number, t.rung, t.score, t.parent_id, r.seconds, r.error,
         e.seconds as earlier_seconds, e.error as earlier_error, p.number as earlier
  into best
  from rafiki.trial t join rafiki._trained(study) r on r.id = t.id
  left join rafiki.trial p on p.id = t.parent_id and t.rung > 1 left join rafiki._trained(study) e on e.id = p.id
  where t.study_id = study order by t.score desc, t.id limit 1;
  if best.rung is null or best.seconds is null or best.error <= 0 then
    return null;
  end if;
  exponent := case when best.earlier_error > 0 and best.seconds > best.earlier_seconds and best.earlier_seconds > 0
                   then least(0.5, greatest(0, ln(best.earlier_error / best.error) / ln(best.seconds / best.earlier_seconds))) end;
  return format('about %s with twice the time, instead of %s, %s', round((1 - best.error * 2 ^ -coalesce(exponent, usual_exponent))::numeric, 3),
                round(best.score::numeric, 3),
                case when exponent is null then 'if this study is as most are' else format('as trial %s went on from trial %s', best.number, best.earlier) end);
end $$;

create or replace function rafiki._report(study bigint)
returns table (part text, trial int, seconds numeric, share text, detail text)
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  asked record;
begin
  select s.created_at, s.ended_at, s.state, s.plan, s.paused_for > '0' or s.paused_at is not null as was_paused, s.metric,
         (select min(t.started_at) from rafiki.trial t where t.study_id = s.id) as began_at,
         (select max(t.ended_at) from rafiki.trial t where t.study_id = s.id) as trained_at,
         v.score, v.judged_rows as validation_rows,
         (select m.name from rafiki.model_version b join rafiki.model m on m.id = b.model_id where b.id = s.start_version) as start
  into asked from rafiki.study s left join rafiki.model_version v on v.study_id = s.id where s.id = study;
  if asked.created_at is null then
    perform rafiki._raise_no_study(study);
  end if;
  return query
    select 'waiting', null::int, round(extract(epoch from coalesce(asked.began_at, asked.ended_at, now()) - asked.created_at), 1), null::text,
           'until a worker began';
  return query
    -- of all trials: two that ran at the same time count twice; where
    -- there was a pause, the time that they trained is known only
    with spent as (
      select t.id, case when asked.was_paused then coalesce(t.seconds::numeric, 0)
                        else extract(epoch from coalesce(t.ended_at, now()) - t.started_at) end as took
      from rafiki.trial t where t.study_id = study and t.started_at is not null)
    select 'training', t.number, round(r.took, 1), round(100 * r.took / nullif(sum(r.took) over (), 0)) || ' %',
           concat_ws(', ', t.family, case when t.refits is null then 'rung ' || t.rung else 'on all rows' end, 'from trial ' || p.number,
                     case when t.parent_id is null and t.warm_share > 0
                          then format('%s %% of its weights from model %s', round(100 * t.warm_share), asked.start) end,
                     t.epoch || ' epochs', case when t.ended_at is not null then 'score ' || round(t.score::numeric, 3) end,
                     case when t.state <> 'completed' or t.score is null then t.state end,
                     case when t.attempt > 0 then format('%s attempts', t.attempt + 1) end, t.error ->> 'message')
    from spent r join rafiki.trial t on t.id = r.id left join rafiki.trial p on p.id = t.parent_id order by t.number;
  if asked.ended_at is null then
    return query select 'plan', null::int, null::numeric, null::text, asked.plan where asked.plan is not null;
    return;
  end if;
  return query
    select 'end', null::int, round(extract(epoch from asked.ended_at - asked.trained_at), 1), null::text,
           case when asked.state = 'completed' then 'ensemble and deployment' || coalesce(': score ' || round(asked.score::numeric, 3), '') else asked.state end
    where asked.trained_at is not null;
  return query
    select 'more time', null::int, null::numeric, null::text,
           -- of a share of rows; other metrics have none that is known without the predictions
           m.line || case when asked.metric = 'accuracy' then coalesce('; the standard error of a score is '
                              || round(sqrt(asked.score * (1 - asked.score) / asked.validation_rows)::numeric, 3), '') else '' end
    from rafiki._more_time(study) m (line) where m.line is not null;
end $$;

create or replace function rafiki_report(study bigint)
returns table (part text, trial int, seconds numeric, share text, detail text)
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select * from rafiki._report(study) $$;

comment on function rafiki_report(bigint) is $$Where the time of a study went: a line for the time before a worker began, one for each trial, with its share of the time
of all, and one for ensemble and deployment. In a study of one long trial, or of several of which the best go on, a last line says what more time would likely bring. For a running study its plan
stands at the end.

Arguments:
  study: its number

Result: part of the study, trial, seconds, share of all trials' time, details

Errors:
  42704: no such study of yours

Example:
  select * from rafiki_report(1);$$;
