-- Dropping studies that have ended.

-- Deletes the ended study with that key, which proves the caller's right to it; false if
-- there is none. Versions keep its task: they can be deployed as long as their model has it.
create or replace function rafiki._delete_study(study_key uuid) returns boolean
language plpgsql volatile strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  ended record;
begin
  select s.id, s.task into ended from rafiki.study_key k join rafiki.study s on s.id = k.study_id
  where k.key = study_key and s.state not in ('queued', 'running') for update of s;
  if not found then
    return false;
  end if;
  update rafiki.model_version v set task = ended.task where v.study_id = ended.id;
  delete from rafiki.study s where s.id = ended.id;
  return true;
end $$;

create or replace function rafiki._drop_study(study bigint) returns void
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  own record;
begin
  loop -- repeated with a fresh snapshot if the key has changed since it was read
    own := rafiki._own_study(study);
    if own.state in ('queued', 'running') then
      raise exception using errcode = 'object_in_use', message = format('study %s has not ended', study), detail = format('It is %s.', own.state),
        hint = format('Stop it first with: select rafiki_cancel(%1$s); or wait for it with: select rafiki_wait(%1$s);', study);
    end if;
    exit when rafiki._delete_study(own.key);
    perform rafiki._refuse_old_snapshot(study);
  end loop;
end $$;

create or replace function rafiki_drop_study(study bigint) returns void
language sql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._drop_study(study) $$;

comment on function rafiki_drop_study(bigint) is $$Drops a study that has ended, with its trials, their reports, and the rows that they were scored on. The version that it made
stays and answers as before, but what only the study knew is lost: rafiki_evaluate no longer says whether rows were trained on, and does not know
the column of the labels; rafiki_feature_importance has to be told the rows.

Arguments:
  study: its number

Result: nothing

Errors:
  42704: no such study of yours
  55006: it has not ended
  40001: the study has changed since the transaction began

Example:
  select rafiki_drop_study(1);$$;
