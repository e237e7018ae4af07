-- The only file that grants rights. The policies in 1-base/50-access.sql limit the rows further.
-- Functions that run with the caller's rights are granted to public; each function that runs
-- with the rights of rafiki_owner is listed here, with the proof of the right to call it.

-- Default privileges (ALTER DEFAULT PRIVILEGES) of the installing role may have granted or revoked rights on the
-- new objects. So all rights except the owner's are revoked first. Objects of other extensions are left alone.
do $$
declare
  statement text;
begin
  for statement in
    with ours as (
      select case c.relkind when 'S' then 'sequence' else 'table' end as kind, c.oid::regclass::text as name, c.relowner as owner, g.acl
      from pg_class c cross join lateral (
        select c.relacl as acl union all
        select a.attacl from pg_attribute a where a.attrelid = c.oid and a.attacl is not null) g
      where c.relnamespace in ('rafiki'::regnamespace, 'rafiki_reader'::regnamespace) and c.relkind in ('r', 'v', 'S')
        and c.relowner = 'rafiki_owner'::regrole
      union all
      select 'type', t.oid::regtype::text, t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
      from pg_type t join pg_class c on c.oid = t.typrelid and c.relkind = 'c'
      where t.typnamespace = 'rafiki'::regnamespace and t.typowner = 'rafiki_owner'::regrole
      union all
      select 'routine', p.oid::regprocedure::text, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
      from pg_proc p
      where p.proowner = 'rafiki_owner'::regrole
        and (p.pronamespace = 'rafiki'::regnamespace
             or p.pronamespace = current_setting('rafiki.home')::regnamespace and p.proname like e'rafiki\\_%')
      union all
      select 'schema', quote_ident(n.nspname), n.nspowner, n.nspacl from pg_namespace n
      where n.nspname in ('rafiki', 'rafiki_reader')
        -- otherwise an administrator chose its rights
        or n.nspname = 'rafiki_dblink' and pg_has_role(n.nspowner, 'usage')
    )
    select format('revoke all on %s %s from %s cascade', o.kind, o.name,
                  string_agg(distinct case a.grantee when 0 then 'public' else a.grantee::regrole::text end, ', '))
    from ours o, aclexplode(o.acl) a
    where a.grantee not in (o.owner, 'rafiki_owner'::regrole) group by o.kind, o.name
    union all
    select distinct format('grant all on %s %s to %s', o.kind, o.name, o.owner::regrole) from ours o
  loop
    execute statement;
  end loop;
end $$;

grant usage on schema rafiki to public;
grant usage on type rafiki.reply to public;
do $$
declare
  invoker regprocedure;
begin
  for invoker in
    select p.oid from pg_proc p
    where p.proowner = 'rafiki_owner'::regrole and not p.prosecdef and p.prorettype <> 'trigger'::regtype
      and (p.pronamespace = 'rafiki'::regnamespace
           or p.pronamespace = current_setting('rafiki.home')::regnamespace and p.proname like e'rafiki\\_%')
  loop
    execute format('grant execute on routine %s to public', invoker);
  end loop;
end $$;
revoke all on function rafiki._exchange(text, boolean), rafiki._list_bridges(), rafiki._map_secret(text),
  rafiki._hold_model(uuid), rafiki._name_owner(text, text, regrole), rafiki._has_uncommitted_study(text),
  rafiki._uploading(bigint, text), rafiki._version_params(bigint), rafiki._version_description(bigint), rafiki._dblink_open(), rafiki._dblink_is_open(),
  rafiki._dblink_send(text), rafiki._dblink_fetch(), rafiki._dblink_is_busy(), rafiki._dblink_close(),
  rafiki._exchange_until(text, timestamptz), rafiki._await_answer(timestamptz) from public;

-- proof: the key of a model, which only roles that may use the model can see
grant execute on function rafiki._take(text, text, name), rafiki._ask_label(uuid, boolean, text, text, text),
  rafiki._ask_labels(uuid, boolean, text, text), rafiki._ask_detail(uuid, boolean, text, text),
  rafiki._ask_details(uuid, boolean, text, text), rafiki._ask_explanation(uuid, boolean, text, text), rafiki._send_rows(uuid, boolean, text, text) to public;
-- no proof: it only connects to the server, as every prediction does
grant execute on function rafiki._open_bridge(boolean) to public;
-- proof: the owner key of a model, which only its owner can see
grant execute on function rafiki._is_held(uuid), rafiki._retire(uuid, text[]), rafiki._set_deployment(uuid, int),
  rafiki._delete_model(uuid), rafiki._delete_version(uuid, int), rafiki._add_grant(uuid, regrole), rafiki._remove_grant(uuid, regrole), rafiki._set_owner(uuid, regrole),
  rafiki._read_weights(uuid), rafiki._encoder_under(uuid) to public;
-- proof: the key of a study; the ticket in a function that the caller created
grant execute on function rafiki._steer_study(uuid, text, interval), rafiki._delete_study(uuid), rafiki._enqueue(rafiki.study) to public;
-- proof: the ticket in a function that the caller created; then, within the same transaction, that ticket
grant execute on function rafiki._enqueue_import(rafiki.import, uuid, text), rafiki._add_import_part(bigint, text, int, bytea),
  rafiki._end_import(bigint, text) to public;
-- trigger functions: the role that attaches a model needs EXECUTE on them
grant execute on function rafiki._fill_prediction(), rafiki._fill_row(), rafiki._fill_rest(), rafiki._mark_row() to public;
-- proof: the key of a model
grant execute on function rafiki._ask_in_time(uuid, boolean, boolean, float8, text) to public;
-- proof: the ticket in a function that the owner of the table created
grant execute on function rafiki._add_attachment(bigint, regclass, uuid, text) to public;
-- proof: the triggers no longer exist, which the function checks itself
grant execute on function rafiki._forget_attachments(regclass) to public;
-- proof: the ticket in a function that the caller created
grant execute on function rafiki._add_token(text, interval, boolean, uuid, text, text) to public;
-- proof: the key of a token, which only roles with its role's rights can see
grant execute on function rafiki._remove_token(uuid) to public;
-- no proof: it says whether a token is valid to a caller that knows its hash
grant execute on function rafiki._check_token(uuid, text) to public;
-- no proof: it only makes the coordinator scan a table
grant execute on function rafiki._mark(bigint) to public;
-- proof: the session, which the service opened for that function
grant execute on function rafiki._check_ticket(text) to public;

-- Any role may compare these columns even in rows that policies hide (see 1-base/50-access.sql).
-- So they hold only names, states, settings, scores and times; columns with data of sources or
-- weights are left out: skipped_example, predictions, kept_answers, validation_hash, classes.
grant select on rafiki.task, rafiki.family, rafiki.worker_family, rafiki.advisor, rafiki.metric, rafiki.column_kind, rafiki.process, rafiki.report, rafiki.model,
  rafiki.model_grant, rafiki.model_member, rafiki.deployment, rafiki.quota, rafiki.attachment_mark, rafiki.encoder, rafiki.encoder_grant to public;
grant select (id, model_id, target, owner, reader, ticket, created_at, waiting_since, to_come, filled, filled_at, failures, retry_at)
  on rafiki.attachment to public;
grant select (attachment_id, relation, place, version, noted_at) on rafiki.unanswered to public;
grant select (id, owner, task, source, model, target, features, families, knobs, advisor, collaborative, alpha_first, alpha_last, delta,
  terminator, gpu, max_trials, max_time, target_score, validation, seed, deploy, on_bad_row, state, cancel_requested, incumbent_id,
  incumbent_score, version, error, closed, notice, skipped_rows, created_at, started_at, ended_at,
  validation_source, validation_split, validation_after, metric, class_weights, replace, finish_requested, paused_at, paused_for, workers_per_trial,
  plan, experience, refit, refit_seconds, kinds, warning, ensemble, encoder_ids, start_version)
  on rafiki.study to public;
grant select (id, study_id, number, family, knobs, seed, state, attempt, process_id, lease_until, stop_requested, epoch, epochs, score,
  seconds, checkpoint_id, params_id, start, parent_id, warm_share, published_id, published_score, error, created_at, started_at, ended_at,
  full_seconds, rung, rung_size, planned_seconds, refits, worker)
  on rafiki.trial to public;
grant select (id, model_id, version, study_id, score, accuracies, created_at, metric, judged_rows, features, kinds, rule, imported_as, task) on rafiki.model_version to public;
grant select (id, owner, model, task, bytes, deploy, state, attempt, version, error, created_at, started_at, ended_at) on rafiki.import to public;
grant select (trial_id, process_id, attempt, lease_until, round, rows_per_second) on rafiki.trial_worker to public;
grant select (trial_id, attempt, number, rows_per_second, exchange_share) on rafiki.trial_round to public;
grant select on rafiki.studies, rafiki.imports, rafiki.trials, rafiki.trial_workers, rafiki.reports, rafiki.models, rafiki.deployments, rafiki.workers,
  rafiki.stat_predict, rafiki.stat_memory, rafiki.stat_batches, rafiki.attachments, rafiki.encoders, rafiki.families, rafiki.top_studies, rafiki.top_trials,
  rafiki.top_models,
  rafiki.top_workers, rafiki.top_predict, rafiki.settings, rafiki.model_access, rafiki.model_ownership, rafiki.study_ownership,
  rafiki.version_classes, rafiki.trained_inputs, rafiki.attachment_error, rafiki.tokens, rafiki.token_ownership to public;

grant select, insert, update, delete on rafiki.process, rafiki.study, rafiki.trial, rafiki.trial_variant,
  rafiki.trial_start, rafiki.trial_worker, rafiki.trial_round, rafiki.trial_change, rafiki.report, rafiki.validation, rafiki.params, rafiki.params_tensor, rafiki.object, rafiki.blob,
  rafiki.model, rafiki.model_version, rafiki.model_member, rafiki.deployment, rafiki.predict_stat, rafiki.policy_weights,
  rafiki.leader, rafiki.reading to rafiki_service;
grant select, update, delete on rafiki.import, rafiki.import_part to rafiki_service;
grant select, update on rafiki.model_key, rafiki.study_key to rafiki_service;
grant select, update on rafiki.attachment to rafiki_service;
grant select, update, delete on rafiki.attachment_mark to rafiki_service;
grant select, insert, update, delete on rafiki.unanswered to rafiki_service;
grant select on rafiki.model_grant, rafiki.encoder, rafiki.encoder_grant, rafiki.token to rafiki_service;
grant update (used_at, key) on rafiki.token to rafiki_service;
-- `rafiki install` reads it to find out whether there is anything to do
grant select on rafiki.migration to public;
grant select on rafiki.bridge to rafiki_service;
grant execute on function rafiki._keep_secret(text), rafiki._connect_bridge(text, int, text),
  rafiki._disconnect_bridge(text, int), rafiki._rotate_secret(text), rafiki._drop_readers(), rafiki._forget_roles(),
  rafiki._tell_family(bigint, text, text, int, boolean, jsonb), rafiki._choose_encoders(bigint), rafiki._has_uncommitted_study(text) to rafiki_service;

grant create on schema rafiki_reader to public;
grant usage on schema rafiki_reader to rafiki_reader;

select rafiki._check_dblink();

-- Ends the temporary membership in rafiki_owner (see prologue.sql),
-- because that role owns rafiki in every database of the cluster.
do $$
begin
  if current_setting('rafiki.joined', true) = 'on' then
    execute format('revoke rafiki_owner from %I', current_user);
  end if;
end $$;
