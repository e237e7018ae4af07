import type { Database } from '../../src/db/database.ts';

/**
 * A study that has ended, with so many trials of two families, their knobs and reports, whose scores rise and whose later trials start
 * from earlier ones. `db` is a superuser's. Returns its number.
 */
export function insertManyTrials(db: Database, { owner, trials }: { owner: string; trials: number }): Promise<number> {
  return db.transaction(async (tx) => {
    await tx.query('create table if not exists public.many (label text, body text)');
    await tx.query(`alter table public.many owner to ${owner}`);
    const [study] = await tx.query<{ id: number }>(
      `insert into rafiki.study (owner, task, source, model, target, features, max_trials, max_time, validation, seed, metric, state, created_at, started_at, ended_at)
       values ($1::regrole, 'text_classification', 'public.many'::regclass, 'many trials', 'label', '{body}', 10000, interval '24 hours', 0.2, 1, 'accuracy',
         'completed', now() - interval '1 day', now() - interval '1 day', now()) returning id`,
      [owner],
    );
    const id = study?.id;
    await tx.query(
      `insert into rafiki.trial (study_id, number, family, knobs, seed, state, attempt, epoch, epochs, score, seconds, start, created_at, started_at, ended_at, worker, error)
       select $1, n, case when n % 3 = 0 then 'temporal_cnn' else 'fasttext' end,
         case when n % 3 = 0 then jsonb_build_object('filters', (array[32, 64, 128])[1 + n % 3], 'dropout', round((n * 37 % 100)::numeric / 150, 3), 'learning_rate', round(0.0005 * 1.05 ^ (n % 80), 6))
              else jsonb_build_object('dim', (array[16, 32, 64])[1 + n % 3], 'word_ngrams', 1 + n % 3, 'dropout', round((n * 53 % 100)::numeric / 150, 3), 'learning_rate', round(0.001 * 1.05 ^ (n * 7 % 80), 6)) end,
         n, case when n % 50 = 0 then 'failed' when n % 5 = 0 then 'stopped' else 'completed' end, 0, case when n % 50 = 0 then 0 else 5 + n % 6 end, 10,
         case when n % 50 = 0 then null else 0.5 + 0.4 * (1 - exp(-n / 2000.0)) - 0.1 * (n * 7919 % 1009) / 1009.0 end, 30 + n % 20, 'random',
         now() - interval '1 day' + n / 8 * interval '60 s', now() - interval '1 day' + n / 8 * interval '60 s', now() - interval '1 day' + (n / 8 * 60 + 30 + n % 20) * interval '1 s',
         100 + n % 8, case when n % 50 = 0 then '{"sqlstate": "53200", "message": "the trial needs more memory than there is"}'::jsonb end
       from generate_series(1, $2::int) n`,
      [id, trials],
    );
    await tx.query(
      `update rafiki.trial t set parent_id = p.id, warm_share = 0.9 from rafiki.trial p
       where t.study_id = $1 and p.study_id = $1 and t.number % 4 = 0 and p.number = t.number / 2 and p.family = t.family`,
      [id],
    );
    await tx.query(
      `insert into rafiki.report (trial_id, epoch, attempt, step, loss, score, seconds)
       select t.id, e, 0, e * 10, 1.0 / e, t.score * (1 - 0.5 ^ e), e * 3 from rafiki.trial t cross join lateral generate_series(1, t.epoch) e
       where t.study_id = $1`,
      [id],
    );
    return id ?? 0;
  });
}
