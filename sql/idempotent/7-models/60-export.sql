-- Exporting the weights of one's own models.

-- A whole number, not below 0, as protobuf writes it.
create or replace function rafiki._varint(number bigint) returns bytea
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  bytes bytea := '';
  rest bigint := number;
begin
  loop
    bytes := bytes || set_byte(decode('00', 'hex'), 0, (rest & 127)::int | case when rest > 127 then 128 else 0 end);
    rest := rest >> 7;
    exit when rest <= 0;
  end loop;
  return bytes;
end $$;

-- An entry of the metadata of an ONNX file: appended to a file it
-- is part of it, because protobuf's messages may be concatenated.
create or replace function rafiki._metadata_entry(key text, value text) returns bytea
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select decode('72', 'hex') || rafiki._varint(octet_length(e.entry)) || e.entry
  from (select decode('0a', 'hex') || rafiki._varint(octet_length(key)) || convert_to(key, 'UTF8')
            || decode('12', 'hex') || rafiki._varint(octet_length(value)) || convert_to(value, 'UTF8') as entry) e
$$;

-- The encoder that the same file stands on; null if none. Empty if it was removed.
create or replace function rafiki._encoder_under(owner_key uuid) returns text
language sql stable strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(n.name, '')
  from rafiki.model_key k
  join rafiki.deployment d on d.model_id = k.model_id and d.state = 'ready'
  join rafiki.model_member e on e.version_id = d.version_id and e.rank = 0
  join rafiki.params p on p.id = e.answering_params_id and p.stands_on is not null
  left join rafiki.encoder n on n.params_id = p.stands_on
  where k.owner_key = _encoder_under.owner_key
  order by n.id limit 1
$$;

-- The sets of parameters that a version is made of, numbered. Without the encoders that they stand
-- on: their weights are an administrator's, and a right to train with an encoder is none to have it.
create or replace function rafiki._version_params(version bigint) returns table (place int, params_id bigint)
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select row_number() over (order by min(e.rank), p.id)::int - 1, p.id
  from rafiki.model_member e join rafiki.params p on p.id = e.answering_params_id
  where e.version_id = version
  group by p.id
$$;

-- Of the content of a set of parameters, whatever its number in a database.
create or replace function rafiki._params_hash(params bigint) returns text
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select encode(sha256(p.meta || coalesce((select string_agg(t.hash, '' order by t.name) from rafiki.params_tensor t where t.params_id = p.id), '')), 'hex')
  from rafiki.params p where p.id = params
$$;

-- What a version is, as src/foreign/own-export.ts reads it.
create or replace function rafiki._version_description(version bigint) returns text
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
  select json_build_object(
    'format', 1, 'task', m.task, 'rule', v.rule, 'classes', v.classes, 'accuracies', v.accuracies,
    'columns', case when v.kinds is not null then (
      select json_agg(json_build_object('name', f.name, 'kind', f.kind) order by f.place)
      from unnest(v.features, v.kinds) with ordinality f (name, kind, place)) end,
    'members', (
      select json_agg(json_build_object(
        'family', e.family, 'precision', e.precision, 'weight', e.weight, 'temperature', e.temperature,
        'variant_of', e.variant_of, 'params', own.place, 'encoder', case when p.stands_on is not null then json_build_object(
          'name', (select min(n.name) from rafiki.encoder n where n.params_id = p.stands_on), 'hash', rafiki._params_hash(p.stands_on)) end)
        order by e.rank)
      from rafiki.model_member e join rafiki.params p on p.id = e.answering_params_id
      join rafiki._version_params(v.id) own on own.params_id = p.id
      where e.version_id = v.id))::text
  -- the argument, not the column
  from rafiki.model_version v join rafiki.model m on m.id = v.model_id where v.id = _version_description.version
$$;

-- The deployed version as an ONNX file: the graph of the best member, and in its metadata all that the version
-- is made of; or the name of an object in S3 that has a part of it. The owner key proves the caller's right.
create or replace function rafiki._read_weights(owner_key uuid) returns table (onnx bytea, object text)
language plpgsql stable strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  most_bytes constant bigint := 1000000000; -- of a value of Postgres
  version constant bigint := (
    select d.version_id from rafiki.model_key k join rafiki.deployment d on d.model_id = k.model_id and d.state = 'ready'
    where k.owner_key = _read_weights.owner_key);
  main record;
  bytes bigint;
begin
  if version is null then
    return;
  end if;
  select b.hash, b.data, t.shape[1] as size into main
  from rafiki.model_member e join rafiki.params_tensor t on t.params_id = e.answering_params_id and t.name = 'model.onnx'
  join rafiki.blob b on b.hash = t.hash where e.version_id = version and e.rank = 0;
  select max(encode(b.hash, 'hex') || '/' || b.object_id), sum(octet_length(b.data)) into object, bytes
  from (select distinct t.hash from rafiki._version_params(version) p join rafiki.params_tensor t on t.params_id = p.params_id) u
  join rafiki.blob b on b.hash = u.hash;
  if object is not null then
    return next;
    return;
  elsif bytes * 1.4 > most_bytes then
    raise exception using errcode = 'program_limit_exceeded', message = 'the model is too large to be exported as one value',
      detail = format('Its members have %s together.', rafiki._size_text(bytes)),
      hint = 'Import it from where it came, or deploy a version with fewer members.';
  end if;
  -- the file is stored as a tensor of bytes, whose data is at the end of the stored blob
  onnx := substr(main.data, octet_length(main.data) - main.size + 1)
    || rafiki._metadata_entry('rafiki.model', rafiki._version_description(version))
    || (select string_agg(rafiki._metadata_entry('rafiki.params.' || p.place, json_build_object(
          'meta', encode(s.meta, 'base64'),
          'tensors', (select json_agg(json_build_object('name', t.name, 'dtype', t.dtype, 'shape', t.shape, 'hash', encode(t.hash, 'hex')) order by t.name)
                      from rafiki.params_tensor t where t.params_id = p.params_id))::text), '' order by p.place)
        from rafiki._version_params(version) p join rafiki.params s on s.id = p.params_id)
    || coalesce((select string_agg(rafiki._metadata_entry('rafiki.blob.' || encode(b.hash, 'hex'), encode(b.data, 'base64')), '' order by b.hash)
        from (select distinct t.hash from rafiki._version_params(version) p join rafiki.params_tensor t on t.params_id = p.params_id) u
        join rafiki.blob b on b.hash = u.hash where b.hash <> main.hash), '');
  return next;
end $$;

create or replace function rafiki._export(model_name text) returns bytea
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  own record;
  weights record;
  encoder text;
begin
  if not exists (select from rafiki.model m where m.name = model_name) then
    perform rafiki._explain_no_answer(model_name);
  end if;
  own := rafiki._own_model(model_name);
  select w.onnx, w.object into weights from rafiki._read_weights(own.key) w;
  if not found then
    perform rafiki._explain_no_answer(model_name);
  elsif weights.object is not null then
    raise exception using errcode = 'feature_not_supported', message = format('the weights of model "%s" are kept in S3', model_name),
      detail = format('As %s, under the prefix of RAFIKI_PARAMS.', weights.object),
      hint = 'Fetch that object: the ONNX file follows a header of a few bytes.';
  end if;
  encoder := rafiki._encoder_under(own.key);
  if encoder is not null then
    raise notice using message = format('the graph of model "%s" begins with the vector of its encoder', model_name),
      detail = format('The encoder is %s. Its weights are not in the file: rafiki_import looks for the same encoder.', coalesce(nullif(encoder, ''), 'one that was removed')),
      hint = case when encoder = ''
        then 'The file can be imported again only after an administrator has added the same encoder: rafiki encoder add NAME …'
        else format('For another runtime an administrator writes the encoder with: rafiki encoder export %s FILE; its vector goes into the input "embedding".', encoder) end;
  end if;
  return weights.onnx;
end $$;

create or replace function rafiki_export(model text) returns bytea
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._export(model) $$;

comment on function rafiki_export(text) is $$The deployed version of your model as an ONNX file with its weights. Any ONNX runtime runs the best member, whose
probabilities are not calibrated; images are numbers from 0 to 255. The metadata of the file has the rest: all members of an ensemble, their
preprocessing and weights. rafiki_import makes the same model of it again, bit for bit. The weights of a pretrained
encoder are no part of it: the graph of a model on one begins with the encoder's vector; a notice names the encoder.

Arguments:
  model: one of your models

Result: the bytes of the file

Errors:
  42704: no such model
  42501: the model belongs to another role
  55000: the model is not deployed
  0A000: its weights are kept in S3
  54000: its members have more than 700 MB together

Example:
  select length(rafiki_export('reviews_sentiment'));$$;
