-- Predicts the rows that were left without a prediction, and updates them.

-- The answers to some inputs, or the error of an input. No row for inputs for which the time was too
-- short. If a request fails because of one of its inputs, it is split in halves to find that input.
create or replace function rafiki._answers(model text, is_image boolean, inputs text[], until timestamptz)
returns table (nth bigint, label text, error jsonb)
language plpgsql volatile strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  half constant int := cardinality(inputs) / 2;
  error_detail text;
begin
  if clock_timestamp() >= until then
    return;
  end if;
  return query select l.place, l.label, null::jsonb
    from unnest(rafiki._labels_in_time(model, is_image, inputs, extract(epoch from until - clock_timestamp()) * 1000))
    with ordinality l (label, place);
exception when data_exception or program_limit_exceeded then
  if sqlstate = '22023' then
    raise;
  elsif half = 0 then
    get stacked diagnostics error_detail = pg_exception_detail;
    return query select 1::bigint, null::text, jsonb_strip_nulls(jsonb_build_object(
      'sqlstate', sqlstate, 'message', left(sqlerrm, 200), 'detail', nullif(left(error_detail, 200), '')));
    return;
  end if;
  return query select a.* from rafiki._answers(model, is_image, inputs[:half], until) a;
  return query select a.nth + half, a.label, a.error from rafiki._answers(model, is_image, inputs[half + 1:], until) a;
end $$;

-- Writes answers to rows that have not changed since they were read. Returns each row that was filled,
-- and with the error each row that could not be; rows that have changed or are locked are skipped.
create or replace function rafiki._put_answers(
  relation regclass, output name, type regtype, places tid[], versions xid[], labels text[]
) returns table (place tid, version xid, error jsonb)
language plpgsql volatile strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  kept constant jsonb := jsonb_build_object('sqlstate', '27000', 'message', 'a trigger of the table rejected the answer');
  held record;
  filled tid[];
begin
  execute format('select array_agg(w.place) as places, array_agg(w.version) as versions, array_agg(w.label) as labels from ('
                   'select a.* from only %1$s t join unnest($1, $2, $3) a (place, version, label) on t.ctid = a.place and t.xmin = a.version '
                   'where t.%2$I is null for no key update of t skip locked) w', relation, output)
    into held using places, versions, labels;
  -- collected in one aggregate, so that the update has finished
  -- and foreign keys are checked before anything is returned
  execute format('with filled as (update only %1$s t set %2$I = %3$s from unnest($1, $2) a (place, label) where t.ctid = a.place '
                   'returning a.place, t.%2$I is not null as is_in) select array_agg(f.place) from filled f where f.is_in',
                 relation, output, format(rafiki._answer_sql(type), 'a.label'))
    into filled using held.places, held.labels;
  return query execute
    'select h.place, h.version, case when f.place is null then $4 end from unnest($1, $2) h (place, version) '
    'left join unnest($3) f (place) on f.place = h.place' using held.places, held.versions, filled, kept;
exception when others then
  -- caused by the table, the machine or the moment, not by a single row
  if sqlstate ~ '^(08|28|40|42|53|54|55|57|58|XX)' then
    raise;
  elsif cardinality(places) = 1 then
    return query select places[1], versions[1], jsonb_build_object('sqlstate', sqlstate, 'message', left(sqlerrm, 200));
    return;
  end if;
  for n in 1..cardinality(places) loop
    return query select * from rafiki._put_answers(relation, output, type, places[n:n], versions[n:n], labels[n:n]);
  end loop;
end $$;

-- Predicts and fills some rows. Returns as JSON how many were filled, how many are left, and which have no answer.
create or replace function rafiki._answer_rows(
  model text, is_image boolean, relation regclass, attached record, places tid[], versions xid[], inputs text[], until timestamptz
) returns jsonb
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  none constant jsonb := jsonb_build_object('sqlstate', '54000', 'message', 'the model has no answer, or the input is too large');
  answers record;
  filled bigint;
  unanswered jsonb;
begin
  select array_agg(places[a.nth]) filter (where a.label is not null) as places,
         array_agg(versions[a.nth]) filter (where a.label is not null) as versions,
         array_agg(a.label) filter (where a.label is not null) as labels,
         jsonb_agg(jsonb_build_object('place', places[a.nth], 'version', versions[a.nth], 'error', coalesce(a.error, none)))
           filter (where a.label is null) as unanswered
  into answers from rafiki._answers(model, is_image, inputs, until) a;
  select count(*) filter (where p.error is null),
         jsonb_agg(jsonb_build_object('place', p.place, 'version', p.version, 'error', p.error)) filter (where p.error is not null)
  into filled, unanswered
  from rafiki._put_answers(relation, attached.output, attached.type, answers.places, answers.versions, answers.labels) p;
  -- the next call reports the others
  unanswered := jsonb_path_query_array(coalesce(answers.unanswered, '[]') || coalesce(unanswered, '[]'), '$[0 to 999]');
  return jsonb_build_object('filled', filled, 'left', cardinality(places) - filled - jsonb_array_length(unanswered),
                            'relation', pg_relation_filenode(relation)::bigint, 'unanswered', unanswered);
end $$;

-- A place in a scan: relation, its file, and the ctid after which the rows follow; null for a null relation.
create or replace function rafiki._scan_place(relation regclass, after tid) returns text
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select concat_ws(';', relation::oid, pg_relation_filenode(relation), after) $$;

-- Fills some unpredicted rows, from the place in the setting rafiki.fill_place on, which an earlier call
-- returned. Returns as JSON how many rows were filled; how many are left because they were locked or time
-- ran out; which have no answer; the place at which to continue, absent at the end; the number of
-- unpredicted rows if they are many; and the error if none could be filled. A relation that was rewritten
-- since (VACUUM FULL, CLUSTER, ALTER TABLE) is scanned from its beginning: its rows have moved.
create or replace function rafiki._fill(reader uuid) returns text
language plpgsql volatile strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  until constant timestamptz := clock_timestamp() + interval '10 s';
  begins constant text[] := string_to_array(nullif(current_setting('rafiki.fill_place', true), ''), ';');
  attachment constant record := rafiki._filled_attachment(reader);
  leaves constant regclass[] := array(select l from rafiki._leaves(attachment.target) l where l::oid >= coalesce(begins[1]::oid, 0)
                                      order by l::oid limit 2);
  attached record;
  waits text;
  stretch record;
  waiting record;
  outcome jsonb := '{}';
  detail text;
  hint text;
begin
  if leaves[1] is null then
    return outcome;
  end if;
  select * into attached from rafiki._attached(leaves[1], attachment.id::text);
  if not found then
    raise exception using errcode = 'undefined_column', message = format('the input or output column no longer exists in %s', leaves[1]),
      hint = 'Attach the model to existing columns: rafiki_attach.';
  end if;
  perform rafiki._check_still_reads(attachment.model, attachment.target, attachment.kind, attached);
  waits := rafiki._waits(attached.kind, attached.inputs, attached.output, 't');
  execute format('lock table only %s in access share mode', leaves[1]); -- from here on it is not rewritten
  select * into stretch from rafiki._stretch(leaves[1], waits, case
    when (leaves[1]::oid, pg_relation_filenode(leaves[1])) = (begins[1]::oid, begins[2]::oid) then begins[3] else '(0,0)' end::tid);
  select * into waiting from rafiki._waiting_inputs(attachment.id, leaves[1],
    rafiki._input_sql(attached.kind, attached.inputs, attached.features, 't'), stretch.places, stretch.versions);
  begin
    if waiting.places is not null then
      outcome := rafiki._answer_rows(attachment.model, attached.kind = 'image', leaves[1], attached, waiting.places, waiting.versions,
                                     waiting.inputs, until);
    end if;
  exception when others then
    get stacked diagnostics detail = pg_exception_detail, hint = pg_exception_hint;
    if sqlstate in ('42P01', '42883', '42704') and hint = '' then
      hint := 'Triggers of the table run here with search_path = pg_catalog: qualify names with schemas in their functions, or set a search_path on these.';
    end if;
    outcome := jsonb_build_object('error', jsonb_build_object(
      'sqlstate', sqlstate, 'message', left(sqlerrm, 1000), 'detail', left(detail, 1000), 'hint', left(hint, 1000)));
  end;
  if begins is null and (outcome ? 'error' or cardinality(stretch.places) = cardinality(waiting.places) and stretch.next is not null) then
    outcome := outcome || jsonb_build_object('to_come', rafiki._count_waiting(attachment.target, waits)
                                                        + coalesce((outcome ->> 'filled')::bigint, 0));
  end if;
  return outcome || jsonb_build_object('place', case
    when waiting.is_cut then rafiki._scan_place(leaves[1], waiting.places[cardinality(waiting.places)])
    when stretch.next is not null then rafiki._scan_place(leaves[1], stretch.next)
    else rafiki._scan_place(leaves[2], '(0,0)') end);
end $$;
