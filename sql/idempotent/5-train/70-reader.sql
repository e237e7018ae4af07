-- Readers: how workers, which have no rights on a study's source, read it with the rights of the
-- study's owner. In rafiki_train the owner creates a function for it, and only a session that the
-- service opened for that function gets its rows. See docs/decisions/0022-roles-of-the-service.md.

-- The hash of a ticket; only the hash is stored.
create or replace function rafiki._ticket_hash(ticket text) returns text
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$ select encode(sha256(convert_to(ticket, 'UTF8')), 'hex') $$;

-- The first statement of a reader's body. It contains the hash of
-- the ticket: the role that knows the ticket created the function.
create or replace function rafiki._ticket_check(ticket text) returns text
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$ select format('select rafiki._check_ticket(%L);', rafiki._ticket_hash(ticket)) $$;

-- Raises an error unless the service opened this session for the function with that hash. So
-- code of one owner that runs while its source is read cannot call the readers of other owners.
create or replace function rafiki._check_ticket(hash text) returns void
language plpgsql stable strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (select from rafiki.reading r where r.pid = pg_backend_pid() and r.ticket = hash) then
    raise exception using errcode = 'insufficient_privilege', message = 'this function reads the source of a study for its workers',
      hint = 'Read the relation itself.';
  end if;
end $$;

-- The query of a reader. A row with a text is a JSON array: [label, text], or [label, text, validates] if
-- the owner chose the validation rows. One of several columns has them as an object in a text, and its name:
-- [label, object, validates or null, name]. An image row is binary: the row's name and its label, each
-- preceded by its length, then whether it validates (0: the input decides, 1: no, 2: yes), then the image.
create or replace function rafiki._reader_query(request rafiki.study) returns text
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select case t.input
    when 'columns' then format(
      'select pg_catalog.json_build_array(r.label::pg_catalog.text, r.input, %s, r.name)::pg_catalog.text from (%s) r where r.label is not null',
      case when rafiki._has_validation_rows(request) then 'coalesce(r.validates, false)' else 'null' end, rafiki._study_rows(request, true))
    when 'text' then format(
      'select pg_catalog.json_build_array(r.label::pg_catalog.text, r.input::pg_catalog.text%s)::pg_catalog.text '
      'from (%s) r where r.label is not null and r.input is not null',
      case when rafiki._has_validation_rows(request) then ', coalesce(r.validates, false)' else '' end, rafiki._study_rows(request))
    else format(
      'select pg_catalog.int4send(pg_catalog.octet_length(r.name)) || r.name || '
        'pg_catalog.int4send(pg_catalog.octet_length(r.label)) || r.label || r.side || r.image '
      'from (select pg_catalog.convert_to(r.name, ''UTF8'') as name, '
        'pg_catalog.convert_to(r.label::pg_catalog.text, ''UTF8'') as label, '
        '%s::pg_catalog.bytea as side, r.input::pg_catalog.bytea as image '
        'from (%s) r where r.label is not null and r.input is not null) r',
      case when rafiki._has_validation_rows(request) then $side$case when r.validates then e'\\x02' else e'\\x01' end$side$ else $side$e'\\x00'$side$ end,
      rafiki._study_rows(request, true))
  end
  from rafiki.task t where t.name = request.task
$$;

-- The arguments of a reader, which are unused: the largest possible number. Any role can see a
-- reader's name in pg_proc and overload it, and an overload with additional default arguments
-- would make calls ambiguous; with the largest number of arguments there can be none.
create or replace function rafiki._reader_arguments() returns oidvector
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$ select rtrim(repeat('boolean'::regtype::oid || ' ', current_setting('max_function_args')::int))::oidvector $$;

-- The arguments of a token's function: the proof, a call, and what it
-- is called with. The others fill up the number, for the same reason.
create or replace function rafiki._token_arguments() returns oidvector
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select concat_ws(' ', 'text'::regtype::oid, 'text'::regtype::oid, 'jsonb'::regtype::oid,
                   rtrim(repeat('boolean'::regtype::oid || ' ', current_setting('max_function_args')::int - 3)))::oidvector
$$;

-- Creates a function that sessions of rafiki_reader call and that runs with the rights of the
-- current role; returns the ticket that proves which role created it. Any role may create
-- objects in schema rafiki_reader, but only the login of the reader may use the schema.
create or replace function rafiki._create_reader(
  reader uuid, result text, query text, arguments oidvector default rafiki._reader_arguments()
) returns text
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  ticket constant text := concat(gen_random_uuid(), gen_random_uuid());
begin
  execute format('create function rafiki_reader.%I(%s) returns %s language sql security definer '
                   'set search_path = pg_catalog, pg_temp set extra_float_digits = 1 as %L',
                 reader, oidvectortypes(arguments), result, concat(rafiki._ticket_check(ticket), ' ', query));
  return ticket;
end $$;

-- The functions of open studies, attachments and tokens, with their arguments.
create or replace function rafiki._used_readers() returns table (reader uuid, arguments oidvector)
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select s.reader, rafiki._reader_arguments() from rafiki.study s where s.reader is not null
  union all select a.reader, rafiki._reader_arguments() from rafiki.attachment a
  union all select t.reader, rafiki._token_arguments() from rafiki.token t
$$;

-- The role that created the function of that ticket; only that role knows the ticket.
create or replace function rafiki._maker_of(reader uuid, ticket text, arguments oidvector default rafiki._reader_arguments()) returns regrole
language sql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select p.proowner from pg_proc p
  where p.pronamespace = 'rafiki_reader'::regnamespace and p.proname = reader::text and p.proargtypes = arguments
    and p.prosecdef and starts_with(p.prosrc, rafiki._ticket_check(ticket))
    and not exists (select from rafiki._used_readers() u where u.reader = _maker_of.reader)
$$;

-- Raises an error with that message unless the role may create functions in
-- schema rafiki_reader: readers, and what fills tables or acts for tokens.
create or replace function rafiki._check_may_create_reader(asker regrole, refusal text) returns void
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  if not has_schema_privilege(asker, 'rafiki_reader', 'create') then
    raise exception using errcode = 'insufficient_privilege', message = refusal,
      detail = 'The role may not create functions in schema rafiki_reader, through which rafiki acts for it.',
      hint = format('An administrator allows it with: grant create on schema rafiki_reader to %s;', asker);
  end if;
end $$;

create or replace function rafiki._make_reader(request rafiki.study, out reader uuid, out ticket text)
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  perform rafiki._check_may_create_reader(quote_ident(current_user)::regrole, format('role %s may not train models', current_user));
  reader := gen_random_uuid();
  ticket := rafiki._create_reader(reader, format('setof %s stable',
                                                 case (select t.input from rafiki.task t where t.name = request.task)
                                                   when 'image' then 'bytea' else 'text' end),
                                  rafiki._reader_query(request));
end $$;

-- Drops everything in schema rafiki_reader that no open study, attachment or token needs: readers of ended
-- studies, and any other objects, because every role may create objects there. The owner of the schema may drop
-- them. But the creator of an object can block that with a lock, or with argument types that no other role may
-- name. So creators take turns, objects that cannot be dropped are skipped, and each round is bounded.
create or replace function rafiki._drop_readers() returns int
language plpgsql volatile parallel unsafe security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '20ms'
as $$
declare
  unused record;
  object record;
  dropped int := 0;
  ends_at timestamptz;
begin
  update rafiki.study s set reader = null, ticket = null from (
    select f.id from rafiki.study f where f.reader is not null and f.state not in ('queued', 'running')
    for no key update skip locked) free
  where s.id = free.id;
  delete from rafiki.attachment a using (
    select f.id from rafiki.attachment f
    where not exists (select from pg_class c where c.oid = f.target) or not exists (select from rafiki.model m where m.id = f.model_id)
    for update skip locked) free
  where a.id = free.id;
  delete from rafiki.attachment_mark m using (
    select f.id from rafiki.attachment_mark f where not exists (select from rafiki.attachment a where a.id = f.attachment_id)
    for update skip locked) free
  where m.id = free.id;
  delete from rafiki.token t using (
    select f.id from rafiki.token f where f.expires_at < now() or not exists (select from pg_roles r where r.oid = f.owner)
    for update skip locked) free
  where t.id = free.id;
  delete from rafiki.reading r where not exists (select from pg_stat_get_activity(null) a where a.pid = r.pid);
  for unused in
    select u.classid, u.objid
    from (select d.classid, d.objid,
                 row_number() over (partition by coalesce(p.proowner, c.relowner, t.typowner) order by random()) as turn
          from pg_depend d
            left join pg_proc p on d.classid = 'pg_proc'::regclass and p.oid = d.objid
            left join pg_class c on d.classid = 'pg_class'::regclass and c.oid = d.objid
            left join pg_type t on d.classid = 'pg_type'::regclass and t.oid = d.objid
          where d.refclassid = 'pg_namespace'::regclass and d.refobjid = 'rafiki_reader'::regnamespace and d.deptype = 'n'
            and not exists (select from rafiki._used_readers() used
                            where used.reader::text = p.proname and used.arguments = p.proargtypes)) u
    order by u.turn, random() limit 500
  loop
    ends_at := coalesce(ends_at, clock_timestamp() + interval '1 s');
    exit when clock_timestamp() > ends_at;
    begin
      select * into object from pg_identify_object(unused.classid, unused.objid, 0);
      execute format('drop %s %s', object.type, object.identity);
      dropped := dropped + 1;
    exception when others then
      null; -- a later round tries again
    end;
  end loop;
  return dropped;
end $$;
