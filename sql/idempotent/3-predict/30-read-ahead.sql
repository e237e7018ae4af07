-- Read-ahead: batches for the plain form "select rafiki_predict(m, body) from t". A prediction is a pure
-- function of model version and input, so filling the server's answer cache cannot change a result. After
-- several cache misses within one statement, the server requests rows: first the rows around the current one,
-- which show the direction of the scan, then the rows that follow. They are read with the caller's rights and
-- the statement's snapshot, so grants and row-level security hold. A place is written relation;column;low;high:
-- the rows read so far lie between the two ctids, and '' stands for an end of the table.
--
-- Reading a table runs code of its owner: row-level security policies, and index predicates at planning
-- time. The user's own scan runs that code too, but read-ahead could be tricked into reading other
-- tables, or into reading as another role. So it reads only if the current role is the session's own,
-- and only tables owned by that role, by a superuser, or by a role that has all its rights anyway.

-- How many blocks a number of rows takes, estimated from the table's statistics.
create or replace function rafiki._blocks(relation regclass, rows int) returns int
language sql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select 1 + case when relpages > 0 and reltuples > 0 then ceil(rows * relpages / reltuples)::int else rows / 16 end
  from pg_class where oid = relation
$$;

-- Whether read-ahead may read a relation as the current role: an
-- ordinary table whose owner already has all rights of the role.
create or replace function rafiki._is_trusted(relation oid) returns boolean
language sql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select exists (
    select from pg_class c
    where c.oid = relation and c.relkind = 'r' and pg_has_role(c.relowner, current_user, 'usage')
      and current_user = rafiki._session_role()
      and has_table_privilege(c.oid, 'select')) -- ctid is not readable with column rights alone
$$;

-- The candidates for read-ahead in a relation for inputs of a type: its columns, and the expressions of the query (with
-- negative attnum); or its rows (with attnum 0), if the input is one of them. The relation has the alias "rafiki row".
create or replace function rafiki._readable(relation oid, asked regtype) returns table (attnum int2, value text)
language sql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select (-e.nth)::int2, e.expression from rafiki._query_expressions(relation) e where asked = 'text'::regtype
  union all
  select 0::int2, 'pg_catalog.to_json("rafiki row".*)::pg_catalog.text' from pg_class c where c.oid = relation and c.reltype = asked
  union all
  select a.attnum, quote_ident(a.attname) from pg_attribute a
  where a.attrelid = relation and a.attnum > 0 and not a.attisdropped
    and a.atttypid = any (case asked when 'bytea'::regtype then '{bytea}' when 'text'::regtype then '{text,varchar}' else '{}' end::regtype[])
$$;

-- Finds `input` in the first and last `rows` rows of the tables that this session has
-- locked, which include those of the current statement; no row if it is in none of them.
create or replace function rafiki._find_scan(input anyelement, rows int)
returns table (relation oid, attnum int2, place tid)
language plpgsql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  value text;
begin
  for relation, attnum, value in
    select c.oid, r.attnum, r.value
    from pg_catalog.pg_locks l
    join pg_catalog.pg_class c on c.oid = l.relation and c.relkind = 'r'
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname not in ('pg_catalog', 'rafiki')
    cross join lateral rafiki._readable(c.oid, pg_typeof(input)) r
    where l.pid = pg_catalog.pg_backend_pid() and l.locktype = 'relation' and l.granted
      and l.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
      and rafiki._is_trusted(c.oid)
    limit 8
  loop
    execute format('select t.ctid from (select ctid, %1$s as value from only %2$s as "rafiki row" limit $2) t where t.value = %3$s '
                   'union all select ctid from only %2$s as "rafiki row" where ctid >= $3 and %1$s = %3$s limit 1', value, relation::regclass,
                   case attnum when 0 then 'pg_catalog.to_json($1)::pg_catalog.text' else '$1' end)
      into place
      using input, rows, format('(%s,0)', greatest(0, pg_relation_size(relation) / 8192 - rafiki._blocks(relation, rows)))::tid;
    if place is not null then
      return next;
      return;
    end if;
  end loop;
end $$;

-- Up to `rows` rows after or before a place, in physical order, fewer if they are long; and the
-- ctid at which to continue. No row if the column cannot be read or no longer exists. A TID
-- range scan returns rows in ctid order already, and sorting 1000 rows would double the time;
-- only with row-level security, where the planner may choose another scan, the rows are sorted.
create or replace function rafiki._window(relation oid, attnum int2, place tid, upward boolean, rows int)
returns table (inputs text[], next text)
language plpgsql stable strict parallel safe
set search_path = pg_catalog, pg_temp
set enable_tidscan = on
set enable_seqscan = off
as $$
declare
  window_bytes constant int := 4194304;
  block constant bigint := split_part(ltrim(place::text, '('), ',', 1);
  bound constant bigint := greatest(0, block + case when upward then 1 else -1 end * rafiki._blocks(relation, rows));
  edge constant tid := format('(%s,0)', bound);
  is_image constant boolean := exists (
    select from pg_attribute a where a.attrelid = relation and a.attnum = _window.attnum and a.atttypid = 'bytea'::regtype);
  value text;
  is_cut boolean;
begin
  select r.value into value
  from rafiki._readable(relation, case when attnum = 0 then (select c.reltype from pg_class c where c.oid = relation)
                                       when is_image then 'bytea'::regtype else 'text'::regtype end) r
  where r.attnum = _window.attnum and rafiki._is_trusted(relation);
  if not found then
    return;
  end if;
  -- OFFSET 0 and a window over the rows as they come: a value is built once, and none is kept beyond window_bytes
  execute format(
    'select coalesce(array_agg(%1$s %2$s) filter (where bytes <= $4 and total <= $4), ''{}''), count(*) = $3 or bool_or(total > $4), '
    '%3$s(ctid) filter (where total <= $4) from (select ctid, value, bytes, '
      'coalesce(sum(bytes) filter (where bytes <= $4) over (rows unbounded preceding), 0) as total '
      'from (select ctid, value, octet_length(value) as bytes from (select ctid, %4$s as value from only %5$s as "rafiki row" '
      'where ctid %6$s limit $3 offset 0) v offset 0) b) t',
    case when is_image then 'encode(value, ''base64'')' else 'value::text' end, case when upward then '' else 'order by ctid' end,
    case when upward then 'max' else 'min' end, value, relation::regclass,
    case when not upward then '< $1 and ctid >= $2 order by ctid desc'
         when row_security_active(relation) then '> $1 and ctid < $2 order by ctid'
         else '> $1 and ctid < $2' end)
    into inputs, is_cut, next using place, edge, rows, window_bytes;
  if not is_cut then
    next := null;
  end if;
  if next is null then
    next := case when bound > 0 and bound * 8192 < pg_relation_size(relation) then format('(%s,0)', bound) else '' end;
  end if;
  return next;
end $$;

-- Tells the user why a query gets no read-ahead, and how to make it fast; `rows` is how
-- many rows of each table were searched. Once per session; before PostgreSQL 17 once per
-- scan, because a parallel query allows neither set_config() nor an exception block there.
create or replace function rafiki._notify_unread(rows int, asked regtype) returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  -- reached at the second search: the first may come too early in a scan
  patience_rows constant int := @second_search_rows@;
  scanned text;
  untrusted text;
begin
  if current_setting('rafiki.noticed', true) = 'unread' then
    return;
  end if;
  select string_agg(c.oid::regclass::text, ', ' order by c.oid), string_agg(c.oid::regclass::text, ', ' order by c.oid) filter (
    -- its partitions are scanned
    where not rafiki._is_trusted(c.oid) and (c.relkind <> 'p' or not pg_has_role(c.relowner, current_user, 'usage')))
  into scanned, untrusted
  from pg_locks l join pg_class c on c.oid = l.relation and c.relkind in ('r', 'p', 'f')
  join pg_namespace n on n.oid = c.relnamespace and n.nspname not in ('pg_catalog', 'rafiki')
  where l.pid = pg_backend_pid() and l.locktype = 'relation' and l.granted
    and l.database = (select oid from pg_database where datname = current_database());
  if scanned is null or untrusted is null and rows < patience_rows
     or exists (select from pg_stat_get_activity(pg_backend_pid()) a where a.leader_pid is not null) then
    return;
  end if;
  if current_setting('server_version_num')::int >= 170000 then
    begin
      perform set_config('rafiki.noticed', 'unread', false);
    exception when invalid_transaction_state then
      return; -- the leader of a parallel query cannot set it: a later query gives the notice
    end;
  end if;
  raise notice 'rafiki does not read ahead in this query'
    using detail = case
            when untrusted is not null then format('It reads ahead only in tables that the current role owns; this query reads: %s.', left(untrusted, 200))
            else format('The input is neither a column of a table that is scanned in order nor a simple expression over its text columns; tables: %s.',
                        left(scanned, 200)) end,
          hint = case when asked in ('text'::regtype, 'bytea'::regtype) then 'The array form is as quick with any table: rafiki_predict(model, array_agg(column)).'
                      else 'This form is as quick with any rows: rafiki_predict_many(model, array_agg(to_json(row)::text)).' end;
end $$;

-- Sends the rows that the server requested: `?;rows` for those around the current row, which is searched
-- for among that many rows; `+;rows;place` for those after a place; `-;rows;place` for those before it.
-- If the row is not found or cannot be read, sends no rows and no place, which ends the read-ahead.
create or replace function rafiki._read_ahead(model_key uuid, input anyelement, read_request text) returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  window_rows constant int := 64;
  words constant text[] := string_to_array(read_request, ';');
  sent record;
  reply rafiki.reply;
begin
  if words[1] = '?' then
    select concat_ws(';', s.relation, s.attnum, before.next, after.next) as place,
           before.inputs || null::text || after.inputs as texts
    into sent
    from rafiki._find_scan(input, words[2]::int) s,
      rafiki._window(s.relation, s.attnum, s.place, false, window_rows) before,
      rafiki._window(s.relation, s.attnum, s.place, true, window_rows) after;
    if not found then
      perform rafiki._notify_unread(words[2]::int, pg_typeof(input));
    end if;
  elsif words[1] = '+' then
    select concat_ws(';', words[3], words[4], words[5], w.next) as place, w.inputs as texts
    into sent from rafiki._window(words[3]::oid, words[4]::int2, words[6]::tid, true, words[2]::int) w;
  else
    select concat_ws(';', words[3], words[4], w.next, words[6]) as place, w.inputs as texts
    into sent from rafiki._window(words[3]::oid, words[4]::int2, words[5]::tid, false, words[2]::int) w;
  end if;
  reply := rafiki._send_rows(model_key, pg_typeof(input) = 'bytea'::regtype, coalesce(sent.place, ''),
                             coalesce(rafiki._packed(sent.texts), '[]'));
end $$;
