-- The views for users: complete ones to join and search, and at the end the same cut to 80 columns,
-- for watching. With security_invoker each role sees the rows that the policies allow it to see.

create or replace view rafiki.studies with (security_invoker = true) as
select s.id as study, s.model, s.state,
       t.done, t.running, s.max_trials as total, round(t.best::numeric, 3) as best,
       case when s.state = 'running' then date_trunc('second', make_interval(secs => greatest(0, extract(epoch from least(
         s.max_time - t.took, -- the remaining trials are assumed to take as long as those so far
         t.took * (s.max_trials - t.done) / nullif(t.done, 0)))::float8))) end as eta,
       coalesce(s.error ->> 'message', nullif(concat_ws('; ', case when s.paused_at is not null then 'paused' end,
                                                        'rows skipped: ' || nullif(s.skipped_rows, 0),
                                                        'no running worker has family ' || w.missing,
                                                        coalesce(s.notice, nullif(concat_ws(' ', s.closed, s.warning), ''))), '')) as notice,
       s.plan,
       (select m.name || ' ' || v.version from rafiki.model_version v join rafiki.model m on m.id = v.model_id where v.id = s.start_version) as start
from rafiki.study s
cross join lateral (
  select count(*) filter (where t.ended_at is not null and t.refits is null) as done, count(*) filter (where t.state = 'running') as running,
         max(t.score) as best, rafiki._study_time(min(t.started_at), s.paused_at, s.paused_for) as took
  from rafiki.trial t where t.study_id = s.id) t
left join lateral ( -- trials that wait for a worker with their family
  select string_agg(distinct t.family, ', ') as missing from rafiki.trial t join rafiki.family f on f.name = t.family and f.task = s.task
  where t.study_id = s.id and t.state = 'waiting' and f.of_workers and rafiki._workers_with(f.name) = 0) w
  on s.state in ('queued', 'running')
order by s.id desc;
comment on view rafiki.studies is
  'Studies, newest first: state, trials done, running and asked for, best score, time left, why they failed; what those whose trials take long do '
  'with their time; start: the model and version whose weights their trials may start from';

create or replace view rafiki.trials with (security_invoker = true) as
select t.study_id as study, t.number as trial, t.family, t.state, t.attempt,
       concat_ws('/', t.epoch, t.epochs) as epoch,
       round(t.score::numeric, 4) as score, round(t.seconds::numeric, 1) as seconds,
       p.number as parent, round(100 * t.warm_share) || '%' as warm,
       coalesce(t.error ->> 'message', k.knobs) as knobs_or_error, f.number as refits
from rafiki.trial t
left join rafiki.trial p on p.id = t.parent_id
left join rafiki.trial f on f.id = t.refits
cross join lateral (
  select string_agg(k.key || '=' || k.value, ' ' order by k.key) as knobs from jsonb_each_text(t.knobs) k) k
order by t.study_id desc, t.score desc nulls last, t.number;
comment on view rafiki.trials is
  'Trials, best first within each study: the leaderboard. state: stopped ended early with its best epoch, and counts like completed; '
  'cancelled has no result. warm is the share of initial weights that came from other trials, '
  'most of them from parent. refits: the trial whose network it trains again on all rows, without a score. The knobs as jsonb are in rafiki.trial';

create or replace view rafiki.reports with (security_invoker = true) as
select t.study_id as study, t.number as trial, t.family, r.epoch, r.step, round(r.loss::numeric, 4) as loss,
       round(r.score::numeric, 4) as score, round(r.seconds::numeric, 1) as seconds
from rafiki.report r join rafiki.trial t on t.id = r.trial_id
order by t.study_id desc, t.number, r.epoch;
comment on view rafiki.reports is 'Learning curves: what each trial measured after each epoch';

create or replace view rafiki.models with (security_invoker = true) as
select m.name as model, v.version, m.task, m.owner, round(v.score::numeric, 4) as score,
       (select cardinality(c.classes) from rafiki.version_classes c where c.id = v.id) as classes,
       (select string_agg(b.family, '+' order by b.rank)
        from rafiki.model_member b where b.version_id = v.id and b.precision = 'float32') as families,
       (select d.state from rafiki.deployment d where d.version_id = v.id order by d.id desc limit 1) as deployment,
       v.metric, round(w.low::numeric, 4) as low, round(w.high::numeric, 4) as high, v.rule,
       (select array_agg(round(b.weight::numeric, 3) order by b.rank)
        from rafiki.model_member b where b.version_id = v.id and b.precision = 'float32' and v.rule = 'weighted') as weights,
       v.imported_as is not null as imported
from rafiki.model m join rafiki.model_version v on v.model_id = m.id
left join lateral rafiki._wilson(v.score * v.judged_rows, v.judged_rows, rafiki._z(0.95)) w on v.metric = 'accuracy'
order by m.name, v.version desc;
comment on view rafiki.models is
  'Models that you may use, with their versions: score on the validation rows by the metric (likelihood is exp(-log loss)), for accuracy '
  'with its 95 % confidence interval; families of the ensemble; rule: how they decide together (best: one alone, vote: the majority, '
  'weighted: the mean by their weights). An imported version has no score: nobody here measured one';

create or replace view rafiki.imports with (security_invoker = true) as
select i.id as import, i.model, i.task, i.state, i.version, pg_size_pretty(i.bytes) as size, i.error ->> 'message' as error,
       date_trunc('second', coalesce(i.ended_at, i.started_at, i.created_at)) as since
from rafiki.import i
order by i.id desc;
comment on view rafiki.imports is
  'Imports of models, newest first: whether the file was checked, the version that it has become, or why it was refused';

create or replace view rafiki.encoders with (security_invoker = true) as
select e.name, e.input, e.width, pg_size_pretty(e.bytes) as size, e.licence, e.source,
       e.is_public or exists (select from rafiki.encoder_grant g where g.encoder_id = e.id and pg_has_role(g.role::oid, 'usage')) as usable,
       (select array_agg(pg_get_userbyid(g.role::oid) order by 1) from rafiki.encoder_grant g where g.encoder_id = e.id) as granted_to,
       e.created_at,
       e.obstacle is null as trainable, e.obstacle
from rafiki.encoder e
order by e.input, e.id desc;
comment on view rafiki.encoders is
  'Pretrained encoders, of each kind of input the newest first. Studies of yours try those that are usable by you: the family encoder '
  'stands on them, encoder_tuned trains one further if it is trainable (obstacle says why it is not), and the knob encoder names one. width: numbers of a vector';

create or replace view rafiki.families with (security_invoker = true) as
select f.name as family, array_agg(f.task order by f.task) as tasks, f.title,
       case when f.of_workers then rafiki._workers_with(f.name) end as workers
from rafiki.family f group by f.name, f.title, f.of_workers
order by f.of_workers, f.name;
comment on view rafiki.families is
  'The model families: the tasks that each can learn; of those that only some workers have, how many of these are running';

create or replace view rafiki.deployments with (security_invoker = true) as
select m.name as model, v.version, d.state,
       date_trunc('second', coalesce(d.retired_at, d.ready_at, d.created_at)) as since,
       d.error ->> 'message' as error
from rafiki.deployment d
join rafiki.model m on m.id = d.model_id
join rafiki.model_version v on v.id = d.version_id
order by d.id desc;
comment on view rafiki.deployments is 'Versions that are deployed, are being loaded, or were deployed before; newest first';

create or replace view rafiki.workers with (security_invoker = true) as
with backlog as (
  select count(*) as waiting, count(*) filter (where not s.gpu) as waiting_cpu,
         extract(epoch from now() - min(w.created_at)) as oldest,
         extract(epoch from now() - min(w.created_at) filter (where not s.gpu)) as oldest_cpu
  from rafiki.study s join rafiki.trial w on w.study_id = s.id and w.state = 'waiting'
  where s.state in ('queued', 'running') and s.paused_at is null
), lost as (
  select coalesce(sum(t.attempt), 0) as lost
  from rafiki.study s join rafiki.trial t on t.study_id = s.id where s.state in ('queued', 'running')
)
select p.id as process, p.kind, p.host, p.pid, p.device,
       date_trunc('second', now() - p.started_at) as up,
       round(extract(epoch from now() - p.seen_at)) as seen_s, t.study_id || '/' || t.number as trial,
       case when p.kind in ('serving', 'http') then null when p.kind = 'worker' and p.device = 'cpu' then b.waiting_cpu else b.waiting end
         as waiting,
       round(case when p.kind in ('serving', 'http') then null when p.kind = 'worker' and p.device = 'cpu' then b.oldest_cpu else b.oldest end)
         as oldest_s,
       case p.kind when 'worker' then p.lost when 'coordinator' then l.lost end as lost
from rafiki.process p
cross join backlog b cross join lost l
left join rafiki.trial_worker w on w.process_id = p.id and w.lease_until > now()
left join rafiki.trial t on t.state = 'running' and (t.process_id = p.id or t.id = w.trial_id)
order by p.kind, p.id;
comment on view rafiki.workers is
  'Running processes of rafiki: their device, seconds since their last heartbeat (seen_s), and study/number of the trial that they train. '
  'waiting, oldest_s: trials that wait for such a worker (in a coordinator''s row: for any), and seconds since the oldest was '
  'created. lost: trials taken from a worker because its heartbeats stopped (in a coordinator''s row: all of open studies)';

create or replace view rafiki.trial_workers with (security_invoker = true) as
select t.study_id as study, t.number as trial, p.id as process, p.host, p.pid,
       case when p.id = t.process_id then 'leads' when w.round is null then 'joins' else 'trains' end as role,
       coalesce(w.round, r.number - 1) as rounds,
       round(coalesce(w.rows_per_second, r.rows_per_second)::numeric, 1) as rows_per_s,
       round(r.exchange_share::numeric, 2) as exchange
from rafiki.trial t
join rafiki.process p on p.id = t.process_id or exists (
  select from rafiki.trial_worker o where o.trial_id = t.id and o.process_id = p.id and o.lease_until > now())
left join rafiki.trial_worker w on w.trial_id = t.id and w.process_id = p.id
left join lateral (
  select r.number, r.rows_per_second, r.exchange_share from rafiki.trial_round r where r.trial_id = t.id and r.attempt = t.attempt order by r.number desc limit 1) r
  on p.id = t.process_id
where t.state = 'running'
order by t.study_id, t.number, p.id = t.process_id desc, p.id;
comment on view rafiki.trial_workers is
  'The workers of each running trial: the one that leads it, and those that train it together with it. rounds: rounds trained so far; '
  'rows_per_s: of each, while it trains; exchange: share of the leading worker''s time that went into exchanging weights';

-- Only the owner of a model may see its counters, because the cache hits show whether another role had asked
-- for the same input. stat_predict and stat_memory read them with the rights of rafiki_owner; they aggregate, so
-- that comparisons in a query cannot reach rows of other roles.
create or replace view rafiki.stat_predict with (security_barrier) as
select m.name as model, sum(s.calls) as calls, sum(s.rows) as rows, sum(s.cached) as cached,
       sum(s.batches) as batches,
       round(sum(s.rows - s.cached) / nullif(sum(s.batches), 0), 1) as rows_per_batch, sum(s.overdue) as overdue,
       round(max(s.p50_ms)::numeric, 2) as p50_ms, round(max(s.p99_ms)::numeric, 2) as p99_ms
from rafiki.predict_stat s join rafiki.model m on m.id = s.model_id
where pg_has_role(m.owner, 'usage')
group by m.name
order by m.name;
comment on view rafiki.stat_predict is
  'Prediction calls per model since the servers started; p50 and p99 of the slowest server';

create or replace view rafiki.stat_batches with (security_barrier) as
select m.name as model, p.id as process, p.host, sum(s.refused)::bigint as refused, max(s.latencies) as latencies, max(s.batch_sizes) as batch_sizes,
       -- one row for each process and model: the aggregates are for the reason above
       (array_agg(s.members))[1] as members
from rafiki.predict_stat s join rafiki.model m on m.id = s.model_id join rafiki.process p on p.id = s.process_id
where pg_has_role(m.owner, 'usage')
group by m.name, p.id
order by m.name, p.id;
comment on view rafiki.stat_batches is
  'How each server answered the calls of your models: how many it refused because they could not be in time or too many waited; latencies: calls by '
  'their time, up to 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500 ms, 1, 2.5, 5, 10, 30 s and above; batch_sizes: batches by their rows, up to 1, 2, 4, 8, 16, 32, '
  '64, 128, 256, 512 and above; members: rows by the members that computed them, as the sum of 2 ^ place over their places from 0';

create or replace view rafiki.attachment_error with (security_barrier) as
select a.id, e.error ->> case when pg_has_role(c.relowner, 'usage') then 'message' else 'sqlstate' end as message
from rafiki.attachment a join pg_class c on c.oid = a.target
cross join lateral (select coalesce(a.error, (
  select u.error from rafiki.unanswered u where u.attachment_id = a.id order by u.noted_at desc limit 1)) as error) e
where pg_has_role(c.relowner, 'usage') or exists (select from rafiki.model m where m.id = a.model_id and pg_has_role(m.owner, 'usage'));
comment on view rafiki.attachment_error is
  'Why rows of attached tables are not filled. A message may contain data of a row, so a model''s owner sees only the SQLSTATE';

create or replace view rafiki.attachments with (security_invoker = true) as
select coalesce(m.name, '(not allowed)') as model, a.target::text as relation, array_to_string(c.inputs, ', ') as input, c.output,
       case when w.since is not null then a.to_come end as to_come, date_trunc('second', now() - w.since) as oldest,
       (select count(*) from rafiki.unanswered u where u.attachment_id = a.id) as unanswered,
       a.filled, date_trunc('second', a.filled_at) as last_fill,
       e.message as last_error
from rafiki.attachment a
left join rafiki.attachment_error e on e.id = a.id
left join rafiki.model m on m.id = a.model_id
left join rafiki._attached(a.target, a.id::text) c on true
cross join lateral (
  select least(a.waiting_since, min(k.since)) as since from rafiki.attachment_mark k where k.attachment_id = a.id) w
order by a.target::text, a.id;
comment on view rafiki.attachments is
  'Tables that models are attached to. to_come: rows without a prediction at the last count; oldest: for how long at most. '
  'unanswered: rows that the model has no answer for, or whose column rejects it. '
  'filled: rows that got their prediction after they were written';

create or replace view rafiki.stat_memory with (security_barrier) as
select m.name as model, p.id as process, p.host, round(sum(s.bytes) / 1048576.0, 1) as mb, sum(s.loads)::bigint as loads,
       sum(s.rows - s.cached)::bigint as computed, sum(s.cold)::bigint as cold,
       round(greatest(0, 100 - 100.0 * sum(s.cold) / nullif(sum(s.rows - s.cached), 0)), 1) as hit_pct
from rafiki.predict_stat s join rafiki.model m on m.id = s.model_id join rafiki.process p on p.id = s.process_id
where pg_has_role(m.owner, 'usage')
group by m.name, p.id
order by sum(s.bytes) desc, m.name, p.id;
comment on view rafiki.stat_memory is
  'Models in the memory of each server, and unloaded ones (mb 0): how often each was loaded, rows computed, and how many of these '
  'had to wait for a load (cold). RAFIKI_MODEL_MEMORY limits the memory; the model with the fewest calls for its size is unloaded first';

-- Cuts a text to a width, with an ellipsis if it is longer. The planner inlines it.
create or replace function rafiki._cut(value text, width int) returns text
language sql immutable parallel safe
as $$ select case when pg_catalog.length(value) > width then pg_catalog.left(value, width - 1) || '…' else value end $$;

create or replace view rafiki.top_studies with (security_invoker = true) as
select s.study, rafiki._cut(s.model, 18) as model, s.state, s.done || '/' || s.total as trials, s.best,
       rafiki._cut(coalesce(s.eta || ' left', s.notice), 17) as notice
from rafiki.studies s
order by s.study desc;
comment on view rafiki.top_studies is 'rafiki.studies cut to 80 columns, for watching';

create or replace view rafiki.top_trials with (security_invoker = true) as
select t.study, t.trial, t.family, t.state, t.epoch, t.score, rafiki._cut(t.knobs_or_error, 15) as knobs_or_error
from rafiki.trials t;
comment on view rafiki.top_trials is 'rafiki.trials cut to 80 columns, for watching';

create or replace view rafiki.top_models with (security_invoker = true) as
select rafiki._cut(m.model, 20) as model, m.version, m.task, m.score, m.deployment
from rafiki.models m;
comment on view rafiki.top_models is 'rafiki.models cut to 80 columns, for watching';

create or replace view rafiki.top_workers with (security_invoker = true) as
select w.process, w.kind, rafiki._cut(w.host, 12) as host, w.device, w.seen_s, w.trial, w.lost
from rafiki.workers w;
comment on view rafiki.top_workers is 'rafiki.workers cut to 80 columns, for watching';

create or replace view rafiki.top_predict with (security_invoker = true) as
select rafiki._cut(p.model, 18) as model, p.calls, p.rows, p.overdue, p.p50_ms, p.p99_ms
from rafiki.stat_predict p;
comment on view rafiki.top_predict is 'rafiki.stat_predict cut to 80 columns, for watching';

create or replace view rafiki.settings with (security_invoker = true) as
select s.name, coalesce(nullif(current_setting(s.name, true), ''), s.usual) as value, s.usual, s.meaning
from rafiki._settings() s;
comment on view rafiki.settings is
  'The settings (set rafiki.on_overdue = ''error''), each with its value in this session and its default (usual); SHOW knows only those '
  'that were set';
