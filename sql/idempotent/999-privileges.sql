-- The only file that grants. Rows are limited further by the policies of 030-access.sql.

grant usage on schema rafiki to public;

grant select on rafiki.task, rafiki.family, rafiki.process, rafiki.study, rafiki.trial, rafiki.report, rafiki.model,
  rafiki.model_grant, rafiki.model_version, rafiki.model_member, rafiki.deployment, rafiki.predict_stat to public;
grant select on rafiki.params_tensor, rafiki.blob to public;
grant select on rafiki.studies, rafiki.trials, rafiki.reports, rafiki.models, rafiki.deployments, rafiki.workers,
  rafiki.stat_predict, rafiki.stat_memory to public;

-- no column that a coordinator or worker writes, and no owner: it is the current user
grant insert (task, source, model, target, features, families, knobs, advisor, collaborative, max_trials, max_time,
              target_score, validation, seed, deploy, on_bad_row, alpha_first, alpha_last, delta, terminator, gpu)
  on rafiki.study to public;
grant update (cancel_requested) on rafiki.study to public;
grant update (key), delete on rafiki.model to public;
grant insert (model_id, role, owner), delete on rafiki.model_grant to public;
grant insert (model_id, version_id), update (state, retired_at) on rafiki.deployment to public;

revoke all on function rafiki._open_bridge(), rafiki._connect_bridge(text, int, text),
  rafiki._disconnect_bridge(text, int), rafiki._list_bridges(), rafiki._guard_model_name()
  from public;
revoke all on schema rafiki_reader from public;
