-- Read-ahead: how the plain form "select rafiki_predict(m, body) from t" gets batches. A prediction is a pure function of
-- model version and input, so filling the server's answer cache can never change a result. After some misses within one
-- statement the server hints; we then find the scanned column and send the rows that come next.

-- Where `input` stands in the tables that this statement scans: relation;column;ctid;first ctid;wrapped. Null: nowhere.
create or replace function rafiki._find_scan(input anyelement) returns text
language plpgsql stable strict parallel safe
as $$
declare
  types constant regtype[] := case pg_typeof(input) when 'bytea'::regtype then '{bytea}' else '{text,varchar}' end;
  candidate record;
  place tid;
begin
  for candidate in
    select c.oid, a.attnum, a.attname
    from pg_catalog.pg_locks l
    join pg_catalog.pg_class c on c.oid = l.relation and c.relkind = 'r'
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname not in ('pg_catalog', 'rafiki')
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                                      and a.atttypid = any (types)
    where l.pid = pg_catalog.pg_backend_pid() and l.locktype = 'relation' and l.granted
      and l.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
      and pg_catalog.has_table_privilege(c.oid, 'select') -- ctid is not readable with column rights alone
    limit 8
  loop
    -- the hint comes after a few rows, so a plain scan is still near the start; looking further costs more than it brings
    execute format('select t.ctid from (select ctid, %I as value from only %s limit 20000) t where t.value = $1 limit 1',
                   candidate.attname, candidate.oid::regclass) into place using input;
    if place is not null then
      return concat_ws(';', candidate.oid, candidate.attnum, place, place, false);
    end if;
  end loop;
  return null;
end $$;

-- The rows after a place, wrapping round once: the next 512, or fewer where they are long. `is_full` says that more may come.
create or replace function rafiki._window(place text[], relation regclass, attribute name, is_image boolean)
returns table (inputs text[], last tid, is_full boolean)
language plpgsql stable parallel safe
as $$
declare
  window_rows constant int := 512; -- two of the server's largest batches
  window_bytes constant int := 4194304;
begin
  return query execute format(
    'select array_agg(%1$s) filter (where w.before < $4 and w.bytes <= $4), max(w.ctid) filter (where w.before < $4), '
      'count(*) = $2 or max(w.before) >= $4 '
    'from (select t.*, sum(t.bytes) over (rows unbounded preceding) - t.bytes as before '
      'from (select ctid, %2$I as value, coalesce(octet_length(%2$I), 0) as bytes from only %3$s '
        'where ctid > $1 %4$s limit $2) t) w',
    case when is_image then 'encode(w.value, ''base64'')' else 'w.value::text' end, attribute, relation,
    case when place[5]::boolean then 'and ctid <= $3' else '' end)
    using place[3]::tid, window_rows, place[4]::tid, window_bytes;
end $$;

-- Sends the rows after `loc` to the server; with the caller's rights and the statement's snapshot, so grants and row-level
-- security hold. Sends none, which ends it, when the place is unknown or not readable.
create or replace function rafiki._read_ahead(model_key uuid, input anyelement, loc text) returns void
language plpgsql stable parallel safe
as $$
declare
  place text[] := string_to_array(coalesce(nullif(loc, ''), rafiki._find_scan(input)), ';');
  is_image constant boolean := pg_typeof(input) = 'bytea'::regtype;
  relation regclass;
  attribute name;
  ahead record;
  next_loc text := '';
  texts text[];
  reply rafiki.reply;
begin
  select c.oid, a.attname into relation, attribute
  from pg_catalog.pg_class c join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = place[2]::int2
  where c.oid = place[1]::oid and not a.attisdropped and pg_catalog.has_table_privilege(c.oid, 'select');
  if found then
    select * into ahead from rafiki._window(place, relation, attribute, is_image);
    if ahead.is_full then
      next_loc := concat_ws(';', place[1], place[2], ahead.last, place[4], place[5]);
    elsif not place[5]::boolean then
      next_loc := concat_ws(';', place[1], place[2], '(0,0)', place[4], true);
    end if;
    texts := array_remove(ahead.inputs, null);
  end if;
  reply := rafiki._call(case when is_image then 'v' else 'V' end, model_key,
                        next_loc || e'\x1f' || coalesce(array_to_json(texts)::text, '[]'));
end $$;
