-- The calls of the HTTP server for charts, as those of 20-calls.sql.
-- How much of a large study is drawn comes with the call.

-- All trials of a study in columns, from a number on: ten thousand are a
-- tenth of what they are as objects. Families and states are places in lists.
create or replace function rafiki._http_history(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with family as (
    select array_agg(distinct t.family order by t.family) as names from rafiki.trial t where t.study_id = (args ->> 'study')::bigint),
  known as (select rafiki._texts(args -> 'states') as states),
  chosen as (
    select t.number, t.family, t.state, t.score, t.epoch, t.epochs, t.started_at, t.ended_at, t.worker, p.number as parent, f.number as refitted,
      s.created_at as asked_at
    from rafiki.trial t join rafiki.study s on s.id = t.study_id
      left join rafiki.trial p on p.id = t.parent_id left join rafiki.trial f on f.id = t.refits
    where t.study_id = (args ->> 'study')::bigint and t.number >= (args ->> 'from')::int
    order by t.number limit (args ->> 'most')::int)
  select row_to_json(h) from (
    select (select k.states from known k) as states, coalesce((select f.names from family f), '{}') as families,
      coalesce(array_agg(c.number), '{}') as trial,
      coalesce(array_agg(array_position((select f.names from family f), c.family) - 1), '{}') as family,
      coalesce(array_agg(array_position((select k.states from known k), c.state) - 1), '{}') as state,
      coalesce(array_agg(round(c.score::numeric, 5)), '{}') as score,
      coalesce(array_agg(c.epoch), '{}') as epoch, coalesce(array_agg(c.epochs), '{}') as epochs,
      coalesce(array_agg(round(extract(epoch from c.started_at - c.asked_at), 1)), '{}') as began_s,
      coalesce(array_agg(round(extract(epoch from c.ended_at - c.asked_at), 1)), '{}') as ended_s,
      coalesce(array_agg(c.parent), '{}') as parent, coalesce(array_agg(c.refitted), '{}') as refits,
      coalesce(array_agg(c.worker), '{}') as worker
    from chosen c) h
$$;

-- Trials that charts have a line for: those with reports, or of a family those with a score. Of more
-- than `lines` the `best` ones, and an even choice of the others; `trials` is their number before that.
create or replace function rafiki._charted_trials(args jsonb)
returns table (id bigint, number int, family text, score float8, knobs jsonb, trials bigint)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select o.id, o.number, o.family, o.score, o.knobs, o.trials
  from (
    select t.id, t.number, t.family, t.score, t.knobs, count(*) over () as trials,
      row_number() over (order by t.score desc nulls last, t.number) as best, row_number() over (order by t.number) as place
    from rafiki.trial t
    where t.study_id = (args ->> 'study')::bigint and t.refits is null
      and case when args ->> 'family' is null then t.epoch > 0 else t.family = args ->> 'family' and t.score is not null end) o
  where o.trials <= (args ->> 'lines')::int or o.best <= (args ->> 'best')::int
    or o.place % ceil(o.trials::float8 / ((args ->> 'lines')::int - (args ->> 'best')::int))::bigint = 0
$$;

-- A line for each trial, of at most `points` reports.
create or replace function rafiki._http_curves(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select json_build_object('of', c.trials, 'trial', c.number, 'family', c.family, 'epochs', json_agg(r.epoch order by r.epoch),
    'scores', json_agg(round(r.score::numeric, 4) order by r.epoch), 'losses', json_agg(round(r.loss::numeric, 4) order by r.epoch))
  from rafiki._charted_trials(args) c cross join lateral (
    select r.epoch, r.score, r.loss, count(*) over () as reports, row_number() over (order by r.epoch) as place
    from rafiki.report r where r.trial_id = c.id) r
  where r.place = r.reports or r.place % ceil(r.reports::float8 / (args ->> 'points')::int)::bigint = 0
  group by c.trials, c.number, c.family order by c.number
$$;

-- The knobs of a family's trials in columns, with their scores.
create or replace function rafiki._http_knob_values(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with chosen as materialized (select c.* from rafiki._charted_trials(args) c)
  select json_build_object('of', coalesce(max(c.trials), 0), 'trial', coalesce(json_agg(c.number order by c.number), '[]'),
    'score', coalesce(json_agg(round(c.score::numeric, 5) order by c.number), '[]'),
    'knobs', coalesce((
      select json_agg(json_build_object('knob', k.key, 'domain', k.value,
        'values', (select json_agg(c.knobs -> k.key order by c.number) from chosen c)) order by k.key)
      from rafiki.study s join rafiki.family f on f.task = s.task and f.name = args ->> 'family' cross join jsonb_each(f.knobs) k
      where s.id = (args ->> 'study')::bigint and exists (select from chosen c where c.knobs ? k.key)), '[]'))
  from chosen c
$$;

create or replace function rafiki._http_importance(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select row_to_json(i) from rafiki._importance((args ->> 'study')::bigint) i limit 1000 $$;

-- The lines of rafiki_report: those of the study, and then the trials that took most time. `of` is their number.
create or replace function rafiki._http_report(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select row_to_json(f)
  from (
    select r.*, count(*) over () as of from rafiki._report((args ->> 'study')::bigint) r
    order by r.trial is not null, r.seconds desc nulls last limit (args ->> 'most')::int) f
$$;

-- What a model reads, and its members, of the newest 50 versions; feature is the column that a model
-- of texts or images learnt from. Studies, and what they read, are told to a role that may see them.
create or replace function rafiki._http_model_inputs(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select json_build_object('task', t.name, 'input', t.input, 'output', t.output, 'version', a.version,
    'owned', pg_has_role(m.owner, 'usage'),
    'columns', coalesce((select json_agg(json_build_object('name', f.name, 'kind', f.kind) order by f.n)
      from rafiki._model_reads(m.name) r, rows from (unnest(r.features), unnest(r.kinds)) with ordinality f (name, kind, n)
      where t.input = 'columns'), '[]'),
    'classes', (select c.classes from rafiki.version_classes c where c.id = v.id),
    'feature', (select r.features[1] from rafiki._model_reads(m.name) r where t.input <> 'columns'),
    'source', c.oid::regclass::text, 'validation_source', j.oid::regclass::text, 'target', s.target,
    'members', coalesce((select json_agg(json_build_object('version', o.version, 'study', y.id, 'trial', r.number, 'rank', b.rank, 'family', b.family,
        'precision', b.precision, 'score', round(b.score::numeric, 4), 'weight', round(b.weight::numeric, 3)) order by o.version desc, b.rank)
      from (select o.id, o.version, o.study_id from rafiki.model_version o where o.model_id = m.id order by o.version desc limit 50) o
        join rafiki.model_member b on b.version_id = o.id left join rafiki.trial r on r.id = b.trial_id left join rafiki.study y on y.id = o.study_id), '[]'))
  from rafiki.model m join rafiki.task t on t.name = m.task
    left join rafiki._answering_version(m.name) a on true
    left join lateral (
      select w.id, w.study_id, w.version from rafiki.model_version w where w.model_id = m.id
      order by w.id = a.id desc nulls last, w.version desc limit 1) v on true
    left join rafiki.study s on s.id = v.study_id
    left join pg_class c on c.oid = s.source and has_schema_privilege(c.relnamespace, 'usage')
    left join pg_class j on j.oid = s.validation_source and has_schema_privilege(j.relnamespace, 'usage')
  where m.name = args ->> 'model'
$$;

create or replace function rafiki._http_mistakes(args jsonb) returns setof json
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select row_to_json(m)
  from rafiki._mistakes(args ->> 'model', rafiki._relation_named('source', args ->> 'source'), (args ->> 'target')::name, (args ->> 'feature')::name,
    case rafiki._input_kind(args ->> 'model') when 'image' then (args ->> 'images')::int else (args ->> 'rows')::int end, (args ->> 'most')::int) m
$$;

-- By model the members that answered, named by their places in the deployed
-- version; a choice of members is a number, whose bits are their places.
create or replace function rafiki._chosen_members() returns table (model text, members json)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select c.model, json_agg(json_build_object('members', c.members, 'rows', c.n) order by c.n desc)
  from (
    select b.model, sum(e.value::bigint)::bigint as n, coalesce((
        select json_agg(v.name order by v.place) from (
          select r.family || case r.precision when 'float32' then '' else ' ' || r.precision end as name, row_number() over (order by r.rank) - 1 as place
          from rafiki.model m join rafiki.deployment d on d.model_id = m.id and d.state = 'ready' join rafiki.model_member r on r.version_id = d.version_id
          where m.name = b.model) v where (e.key::bigint >> v.place::int) & 1 = 1), '[]') as members
    from rafiki.stat_batches b cross join jsonb_each_text(b.members) e group by b.model, e.key) c
  group by c.model
$$;

-- How the caller's models answer, summed over the servers; of the 200 with most calls.
create or replace function rafiki._http_serving(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with batches as materialized (select b.* from rafiki.stat_batches b),
  summed as (
    select u.model, u.what, json_agg(u.n order by u.place) as counts from (
      select b.model, l.what, l.place, sum(l.n)::bigint as n from batches b cross join lateral (
        select 'latency' as what, x.place, x.n from unnest(b.latencies) with ordinality x (n, place)
        union all select 'size', x.place, x.n from unnest(b.batch_sizes) with ordinality x (n, place)) l
      group by b.model, l.what, l.place) u
    group by u.model, u.what)
  select row_to_json(f)
  from (
    select p.model, a.version, extract(epoch from coalesce(m.latency_budget, rafiki._default_of('rafiki.latency_budget')::interval)) * 1000 as budget_ms, p.calls, p.rows, p.cached, p.batches,
      p.overdue, (select sum(b.refused) from batches b where b.model = p.model) as refused, p.p50_ms, p.p99_ms,
      coalesce((select s.counts from summed s where s.model = p.model and s.what = 'latency'), '[]') as latencies,
      coalesce((select s.counts from summed s where s.model = p.model and s.what = 'size'), '[]') as batch_sizes,
      coalesce(c.members, '[]') as members,
      coalesce((select json_agg(json_build_object('process', y.process, 'host', y.host, 'mb', y.mb, 'loads', y.loads, 'cold', y.cold) order by y.process)
        from rafiki.stat_memory y where y.model = p.model), '[]') as memory
    from rafiki.stat_predict p join rafiki.model m on m.name = p.model left join rafiki._answering_version(p.model) a on true
      left join rafiki._chosen_members() c on c.model = p.model
    order by p.calls desc, p.model limit 200) f
$$;

-- Seconds of the last `seconds` in which each worker trained trials that the caller may see.
create or replace function rafiki._http_utilisation(args jsonb) returns setof json
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  with since as (select now() - make_interval(secs => (args ->> 'seconds')::int) as at)
  select row_to_json(w)
  from (
    select t.worker, sum(extract(epoch from coalesce(t.ended_at, now()) - greatest(t.started_at, s.at))) as busy_s,
      count(*) as trials, array_agg(distinct t.study_id) as studies
    from rafiki.trial t cross join since s
    where t.worker is not null and t.started_at is not null and t.state <> 'waiting' and coalesce(t.ended_at, now()) > s.at
    group by t.worker order by t.worker limit 1000) w
$$;
