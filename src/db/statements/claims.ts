import type { Knobs } from '../../domain/hyper-space.ts';
import { LEASE_MS } from '../../domain/leases.ts';
import type { Metric } from '../../domain/metrics.ts';
import type { Task } from '../../domain/task.ts';
import type { KnownEncoder, PretrainedEncoder } from '../../domain/training.ts';
import type { Queryable } from '../database.ts';
import { knownTask } from './studies.ts';
import type { Ownership } from './trials.ts';

/** The trial whose network is trained again. */
interface RefittedTrial {
  /** The best, those of its epochs, and how many it was trained. */
  score: number;
  scores: number[];
  epochs: number;
  /** Of the whole training, and of an epoch. */
  seconds: number;
  epochSeconds: number;
  /** Share of initial weights from other trials, as it had or will have them. */
  warmShare: number;
  /** Of its validation rows, in hexadecimal. */
  validationHash: string;
}

/** A claimed trial with what its worker needs. */
export interface ClaimedTrial extends Ownership {
  number: number;
  family: string;
  knobs: Knobs;
  seed: number;
  /** Random, still to be chosen among the published weights, or chosen by an earlier attempt. */
  initialWeights: 'random' | 'open' | 'chosen';
  checkpointId: number | null;
  /** How long the whole trial takes on one worker, if an earlier attempt has measured it. */
  fullSeconds: number | null;
  /** Of the attempt, if another worker led it before a pause; 0: none. */
  lastRound: number;
  /** 1-based; null if its study has none. */
  rung: number | null;
  /** What is left of the time that is planned for it, if any. */
  plannedSeconds: number | null;
  /** Set if it trains another trial's network again on all rows. */
  refit: RefittedTrial | null;
  /** Running workers that could take its study's trials, this one included. */
  workers: number;
  study: {
    id: number;
    createdAt: string;
    task: Task;
    validation: number;
    families: string[] | null;
    maxTrials: number;
    refit: boolean;
    /** What its trials on a pretrained encoder stand on, by the knob `encoder`. */
    encoders: (PretrainedEncoder & KnownEncoder)[];
    /** Null: as many as there are idle, and the study may have rungs. */
    workersPerTrial: number | null;
    /** Knobs that the user fixed or narrowed. */
    chosenKnobs: string[];
    collaborative: boolean;
    metric: Metric;
    /** Whether all classes weigh the same in training. */
    balanced: boolean;
    /** Its max_time, and until that has passed. */
    maxSeconds: number;
    secondsLeft: number;
  };
  /** Whether it is the first trial of its family in the study. */
  isFirst: boolean;
  /** The deployed version that the study's model is compared with, until it is scored. */
  incumbentId: number | null;
}

/** How long a trial waits for a worker whose machine has its study's data. */
const CACHE_WAIT_MS = 10_000;

/** The encoders of a study `s`. */
export const studyEncoders = `
  select coalesce(jsonb_agg(jsonb_build_object('name', e.name, 'paramsId', e.params_id, 'trainable', e.obstacle is null) order by i.place), '[]')
  from unnest(s.encoder_ids) with ordinality i (id, place) join rafiki.encoder e on e.id = i.id`;

/**
 * Orders the studies, then takes the oldest trial that no other worker is claiming of the first study that has one. Last are studies
 * whose source another worker of this machine is reading. Roles have equal shares, however many studies they have: first is the role
 * with the fewest running trials; of its studies first those for a GPU, then those whose data is on this machine, or that have no running
 * trial, or whose trial has waited for CACHE_WAIT_MS; among equals the role, then the study, that got a worker longest ago.
 * `offset 0` keeps that order, and `limit 1` ends the loop over it, so that only one row is locked. What an attempt reported after its last
 * checkpoint is lost with it.
 */
const claim = `
  with open as materialized (
    select s.id, s.owner, s.gpu, running.trials, (select max(t.claimed_at) from rafiki.trial t where t.study_id = s.id) as turn
    from rafiki.study s
    cross join lateral (
      select count(*) as trials from rafiki.trial t where t.study_id = s.id and t.state = 'running') running
    where s.state in ('queued', 'running') and s.paused_at is null
  ), owner as (
    select o.owner, sum(o.trials) as trials, max(o.turn) as turn from open o group by o.owner
  ), next as (
    select t.id, t.resumed
    from (
      select s.id
      from rafiki.process p
      join open s on not s.gpu or p.device <> 'cpu'
      join owner o on o.owner = s.owner
      cross join lateral (
        select t.created_at < now() - $5 * interval '1 ms' as long from rafiki.trial t
        where t.study_id = s.id and t.state = 'waiting' order by t.created_at, t.id limit 1) waits
      where p.id = $1
      order by s.id = any($6), o.trials, s.gpu desc, (s.id = any($4) or s.trials = 0 or waits.long) desc, o.turn nulls first, s.trials,
        s.turn nulls first, s.id
      offset 0
    ) s
    cross join lateral (
      select t.id, case when t.checkpoint_id is null then 0 else t.checkpoint_epoch end as resumed from rafiki.trial t
      where t.study_id = s.id and t.state = 'waiting' and t.family = any($3)
      order by t.created_at, t.id for update skip locked limit 1) t
    limit 1
  ), lost as (
    delete from rafiki.report r using next where r.trial_id = next.id and r.epoch > next.resumed
  ), claimed as (
    update rafiki.trial t
    set state = 'running', process_id = $1, worker = $1, lease_until = now() + $2 * interval '1 ms', overdue_looks = 0, claimed_at = now(),
      started_at = coalesce(started_at, now()),
      epoch = least(t.epoch, next.resumed),
      score = case when t.epoch > next.resumed then (
        select max(r.score) from rafiki.report r where r.trial_id = t.id and r.epoch <= next.resumed) else t.score end
    from next where t.id = next.id
    returning t.*
  )
  select c.id as "trialId", c.attempt, c.process_id as "processId", c.number, c.family, c.knobs, c.seed, c.start as "initialWeights",
    c.checkpoint_id as "checkpointId", c.full_seconds as "fullSeconds", c.rung,
    (select coalesce(max(r.number), 0) from rafiki.trial_round r where r.trial_id = c.id and r.attempt = c.attempt) as "lastRound",
    c.planned_seconds - coalesce(c.seconds, 0)::float8 as "plannedSeconds",
    (select jsonb_build_object('score', o.score, 'warmShare', case when c.rung is null then coalesce(o.warm_share, 0) else 1 end,
       'seconds', o.seconds, 'epochSeconds', o.seconds / greatest(o.epoch, 1), 'validationHash', encode(o.validation_hash, 'hex'),
       'scores', array(select r.score from rafiki.report r where r.trial_id = o.id order by r.epoch), 'epochs', o.epoch)
     from rafiki.trial o where o.id = c.refits) as refit,
    able.workers,
    jsonb_build_object('id', s.id, 'createdAt', extract(epoch from s.created_at)::text, 'task', s.task,
      'validation', s.validation, 'chosenKnobs', array(select jsonb_object_keys(s.knobs)), 'families', s.families,
      'maxTrials', s.max_trials, 'refit', s.refit, 'workersPerTrial', s.workers_per_trial, 'collaborative', s.collaborative,
      'encoders', (${studyEncoders}),
      'metric', s.metric, 'balanced', s.class_weights is not null,
      'maxSeconds', extract(epoch from s.max_time)::float8, 'secondsLeft', extract(epoch from s.max_time - coalesce(rafiki._study_time(
        (select min(t.started_at) from rafiki.trial t where t.study_id = s.id), s.paused_at, s.paused_for), '0'))::float8
        - case when c.refits is null then s.refit_seconds else 0 end) as study,
    c.number = (select min(f.number) from rafiki.trial f where f.study_id = s.id and f.family = c.family) as "isFirst",
    case when s.incumbent_score is null then s.incumbent_id end as "incumbentId"
  from claimed c join rafiki.study s on s.id = c.study_id
  cross join lateral (
    select greatest(count(*), 1)::int as workers from rafiki.process p -- this one may have been silent for long
    where p.kind = 'worker' and rafiki._is_alive(p.seen_at) and (not s.gpu or p.device <> 'cpu')) able`;

/** The trials that a worker can train. */
export interface WorkerCapabilities {
  families: readonly string[];
  /** Studies whose data is on its machine. */
  cached?: readonly number[];
  /** Studies whose data its machine is reading now. */
  beingRead?: readonly number[];
}

/** Claims a waiting trial of one of the families; undefined if there is none. Two workers never get the same one. */
export async function claimTrial(
  on: Queryable,
  processId: number,
  { families, cached = [], beingRead = [] }: WorkerCapabilities,
): Promise<ClaimedTrial | undefined> {
  const [row] = await on.query<ClaimedTrial>(claim, [
    ...[processId, LEASE_MS, families, cached, CACHE_WAIT_MS, beingRead],
  ]);
  return row && { ...row, study: { ...row.study, task: knownTask(row.study.task) } };
}

/** A trial that waits longer needs a worker: an idle one takes it within two seconds. */
const NEEDED_MS = 10_000;

const workerNeeded = `
  select from rafiki.process p
  join rafiki.study s on s.state in ('queued', 'running') and s.paused_at is null and (not s.gpu or p.device <> 'cpu')
  where p.id = $1
    and exists (select from rafiki.trial t
                where t.study_id = s.id and t.state = 'waiting' and t.family = any($2)
                  and t.created_at < now() - $3 * interval '1 ms')
    and not exists (select from rafiki.study o join rafiki.trial t on t.study_id = o.id
                    where o.owner = s.owner and o.state in ('queued', 'running') and t.state = 'running')
  limit 1`;

/** Whether a role without running trials has a trial that this worker could train and that has waited for NEEDED_MS. */
export async function isWorkerNeeded(
  on: Queryable,
  processId: number,
  { families }: Pick<WorkerCapabilities, 'families'>,
): Promise<boolean> {
  return (await on.query(workerNeeded, [processId, families, NEEDED_MS])).length > 0;
}

const running = `
  select count(*) filter (where os.owner = s.owner)::int as own,
    count(*) filter (where os.owner = s.owner and (o.claimed_at, o.id) > (t.claimed_at, t.id))::int as newer,
    count(*) filter (where (o.claimed_at, o.id) < (t.claimed_at, t.id))::int as older,
    (extract(epoch from now() - min(t.claimed_at)) * 1000)::float8 as "heldMs"
  from rafiki.trial t
  join rafiki.study s on s.id = t.study_id
  join rafiki.study os on os.state in ('queued', 'running')
  join rafiki.trial o on o.study_id = os.id and o.state = 'running'
  where t.id = $1 having count(*) > 0`;

/** A running trial among the others. */
interface RunningTrials {
  /** Of its role, itself included; of these the ones claimed later. */
  own: number;
  newer: number;
  /** Of all roles, those claimed earlier. */
  older: number;
  /** Since it was claimed. */
  heldMs: number;
}

/** Undefined if no trial runs any more. */
export async function countRunning(on: Queryable, trialId: number): Promise<RunningTrials | undefined> {
  const [trials] = await on.query<RunningTrials>(running, [trialId]);
  return trials;
}
