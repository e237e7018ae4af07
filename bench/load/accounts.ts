import type { Database } from '../../src/db/database.ts';
import { eventually } from '../../test/support/rafiki-up.ts';

/** Attempts of a trial since its last checkpoint are counted from 0: at most three. */
const LAST_ATTEMPT = 2;
const END_MS = 400_000;

/** From now on every change of a trial's state is recorded, in its own transaction. */
export async function auditTrials(admin: Database): Promise<void> {
  await admin.query(`
    create schema audit;
    create table audit.change (trial_id bigint, study_id bigint, number int, state text);
    create function audit.write() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
    begin
      insert into audit.change values (new.id, new.study_id, new.number, new.state);
      return null;
    end $$;
    create trigger audit_insert after insert on rafiki.trial for each row execute function audit.write();
    create trigger audit_change after update of state on rafiki.trial for each row
      when (old.state is distinct from new.state) execute function audit.write()`);
}

export interface Accounts {
  studies: number;
  trials: number;
  failedStudies: number;
  failedTrials: number;
  /** Inconsistencies. */
  faults: string[];
}

/** Waits until every study has ended, and checks: trial numbers without gaps, each trial ended once, no attempt too many. */
export async function accountTrials(admin: Database): Promise<Accounts> {
  const faults: string[] = [];
  await eventually(async () => {
    const open = await admin.query(`select from rafiki.study where ended_at is null limit 1`);
    return open.length === 0 ? true : undefined;
  }, END_MS).catch(() => faults.push(`a study has not ended ${END_MS / 1000} s after the last fault`));
  const studies = await admin.query<StudyCount>(
    `select s.id, s.state, s.max_trials, count(t.id)::int as made, count(t.ended_at)::int as ended,
       count(distinct t.number)::int as numbers, coalesce(max(t.number), 0) as top,
       coalesce(max(t.attempt - coalesce(t.checkpoint_attempt + 1, 0)), 0) as attempt,
       count(*) filter (where t.state = 'failed')::int as failed, s.error ->> 'message' as error
     from rafiki.study s left join rafiki.trial t on t.study_id = s.id and t.refits is null group by s.id order by s.id`,
  );
  faults.push(...studies.flatMap(faultsOf));
  const ends = await admin.query<{ trial_id: number; ends: number }>(
    `select trial_id, count(*) filter (where state in ('completed', 'stopped', 'failed', 'cancelled'))::int as ends
     from audit.change group by trial_id
     having count(*) filter (where state in ('completed', 'stopped', 'failed', 'cancelled')) <> 1`,
  );
  faults.push(...ends.map(({ trial_id, ends }) => `trial ${trial_id} ended ${ends} times`));
  const lost = await admin.query<{ trial_id: number }>(
    'select distinct trial_id from audit.change c where not exists (select from rafiki.trial t where t.id = c.trial_id)',
  );
  faults.push(...lost.map(({ trial_id }) => `trial ${trial_id} is gone`));
  return {
    studies: studies.length,
    trials: studies.reduce((sum, { made }) => sum + made, 0),
    failedStudies: studies.filter(({ state }) => state === 'failed').length,
    failedTrials: studies.reduce((sum, { failed }) => sum + failed, 0),
    faults,
  };
}

interface StudyCount {
  id: number;
  state: string;
  max_trials: number;
  made: number;
  ended: number;
  numbers: number;
  top: number;
  attempt: number;
  failed: number;
  error: string | null;
}

function faultsOf(study: StudyCount): string[] {
  const { id, state, max_trials, made, ended, numbers, top, attempt, failed, error } = study;
  return [
    ...(numbers === made && top === made ? [] : [`study ${id}: ${made} trials are numbered up to ${top}`]),
    ...(ended === made ? [] : [`study ${id}: ${made - ended} of ${made} trials have not ended`]),
    ...(made <= max_trials ? [] : [`study ${id}: ${made} trials instead of ${max_trials}`]),
    ...(attempt <= LAST_ATTEMPT ? [] : [`study ${id}: attempt ${attempt + 1} of a trial`]),
    // the study was given up although one of its trials had a result
    ...(state === 'failed' && failed < made ? [`study ${id} failed with results: ${error}`] : []),
  ];
}
