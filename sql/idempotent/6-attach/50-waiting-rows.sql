-- Fills rows that were left without a prediction, with the rights of the table's owner: in a session
-- of rafiki_reader, the coordinator calls a function in schema rafiki_reader that belongs to the
-- owner (6-attach/20-attach.sql) and runs what follows. A table is scanned once, in physical order,
-- one stretch per call and transaction. Rows that move meanwhile are marked again by the triggers.

-- The relations that store the rows of a table: its leaf partitions, or the table itself.
create or replace function rafiki._leaves(target regclass) returns setof regclass
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select c.oid::regclass from (select target as relid union select p.relid from pg_partition_tree(target) p) r
  join pg_class c on c.oid = r.relid where c.relkind = 'r' order by c.oid
$$;

-- Raises an error if a partition or parent of the table belongs to another
-- role: that role's triggers would run with the rights of this one.
create or replace function rafiki._check_fills(target regclass) returns void
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  strange record;
begin
  select c.oid::regclass as name, c.relowner::regrole as owner into strange
  from (select target as relid union select p.relid from pg_partition_tree(target) p union select pg_partition_ancestors(target)) r
  join pg_class c on c.oid = r.relid where c.relowner <> (select u.oid from pg_roles u where u.rolname = current_user) limit 1;
  if found then
    raise exception using errcode = 'insufficient_privilege', message = format('%s belongs to role %s', strange.name, strange.owner),
      detail = format('Rows of %s are filled with the rights of role %s, so triggers of another role must not run.', target, current_user),
      hint = format('Give all of them the same owner, and attach again as that role: select rafiki_attach(…, %L, …);', target);
  end if;
end $$;

-- The rows of a relation "t" that wait, after a ctid, and the ctid at which to continue:
-- null at the end. The settings force a TID range scan, which reads the blocks in order.
create or replace function rafiki._stretch(relation regclass, waits text, after tid)
returns table (places tid[], versions xid[], next tid)
language plpgsql volatile strict parallel unsafe
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_indexscan = off
set enable_bitmapscan = off
set synchronize_seqscans = off
set max_parallel_workers_per_gather = 0
as $$
declare
  max_rows constant int := 4000;
  max_blocks constant bigint := 16384;
  edge constant bigint := split_part(ltrim(after::text, '('), ',', 1)::bigint + max_blocks;
begin
  execute format('select array_agg(w.ctid), array_agg(w.xmin) from (select ctid, xmin from only %s t '
                 'where ctid > $1 and ctid < $2 and %s limit $3) w', relation, waits)
    into places, versions using after, format('(%s,0)', edge)::tid, max_rows;
  next := case when cardinality(places) = max_rows then places[max_rows]
               when edge * current_setting('block_size')::int < pg_relation_size(relation) then format('(%s,0)', edge)::tid end;
  return next;
end $$;

-- The attachment that a function fills; an error if there is none, or if the table's owner may not use the model.
create or replace function rafiki._filled_attachment(
  reader uuid, out id bigint, out target regclass, out model text, out kind text
)
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  model_id bigint;
begin
  select a.id, a.target, a.model_id into id, target, model_id from rafiki.attachment a where a.reader = _filled_attachment.reader;
  if not found then
    raise exception using errcode = 'undefined_object', message = 'the function does not fill any table of this role',
      detail = format('The role is %s.', current_user), hint = 'Attach the model to the table as its owner: rafiki_attach.';
  end if;
  perform rafiki._check_fills(target);
  select m.name, t.input into model, kind from rafiki.model m join rafiki.task t on t.name = m.task where m.id = model_id;
  if not found then
    raise exception using errcode = 'insufficient_privilege',
      message = 'the table''s owner may not use the model',
      detail = format('Rows of %s are filled as its owner, role %s.', target, current_user),
      hint = format('The owner of the model allows it with: select rafiki_grant(model, %L);', current_user);
  end if;
end $$;

-- Raises an error if a model reads something else now than it did when it was attached.
create or replace function rafiki._check_still_reads(model text, target regclass, kind text, attached record) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  missing constant text := (
    select string_agg(format('"%s"', f), ', ') from unnest((select r.features from rafiki._model_reads(model) r)) f
    where f <> all (attached.features));
begin
  if kind <> attached.kind or missing is not null then
    raise exception using errcode = 'object_not_in_prerequisite_state', message = format('model "%s" reads something else than when it was attached', model),
      detail = case when missing is null then format('It read %s, and reads %s now.', attached.kind, kind) else format('It reads %s, too.', missing) end,
      hint = format('Attach it again: select rafiki_attach(%L, %L, …, output => %L);', model, target, attached.output);
  end if;
end $$;

-- Filters rows to those not known to be unanswerable, and returns
-- them with their inputs, up to part_bytes but at least one.
create or replace function rafiki._waiting_inputs(
  attachment bigint, relation regclass, input text, inout places tid[], inout versions xid[], out inputs text[], out is_cut boolean
)
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  max_bytes constant int := @part_bytes@;
begin
  execute format(
    'with open as (select t.ctid, t.xmin, %s as input from only %s t join unnest($1, $2) p (place, version) '
      'on t.ctid = p.place and t.xmin = p.version where not exists (select from rafiki.unanswered u where u.attachment_id = $3 '
      'and u.relation = $4 and u.place = p.place and u.version = p.version)), '
    'summed as (select *, sum(octet_length(input)) over (order by ctid) as bytes, row_number() over (order by ctid) as nth from open) '
    'select array_agg(ctid order by nth) filter (where f), array_agg(xmin order by nth) filter (where f), '
    'array_agg(input order by nth) filter (where f), not bool_and(f) '
    'from (select *, bytes <= $5 or nth = 1 as f from (select ctid, xmin, input, coalesce(bytes, 0) as bytes, nth from summed) s) s',
    input, relation)
    into places, versions, inputs, is_cut using places, versions, attachment, pg_relation_filenode(relation), max_bytes;
end $$;

-- How many rows have no prediction yet; null for a large table, where counting takes too long.
create or replace function rafiki._count_waiting(target regclass, waits text) returns bigint
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  max_bytes constant bigint := 1073741824;
  waiting bigint;
begin
  if (select sum(pg_relation_size(l)) from rafiki._leaves(target) l) <= max_bytes then
    execute format('select count(*) from %s t where %s', target, waits) into waiting;
  end if;
  return waiting;
end $$;
