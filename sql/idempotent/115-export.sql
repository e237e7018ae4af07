-- Weights to take away. What the caller may read of them says row-level security: his own models.

create or replace function rafiki._export(model_name text) returns bytea
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  model rafiki.model;
  onnx bytea;
  object text;
begin
  select * into model from rafiki.model m where m.name = model_name;
  if found and not pg_has_role(model.owner, 'member') then
    raise exception using errcode = 'insufficient_privilege',
      message = format('must be owner of model "%s"', model_name),
      detail = format('It belongs to role %s.', model.owner), hint = 'A grant lets you predict with it, no more.';
  end if;
  -- the file is a tensor of bytes, and a tensor's bytes are the end of what is stored of it
  select substr(b.data, octet_length(b.data) - t.shape[1] + 1), encode(b.hash, 'hex') || '/' || b.object_id
  into onnx, object
  from rafiki.deployment d
  join rafiki.model_member e on e.version_id = d.version_id and e.rank = 0
  join rafiki.params_tensor t on t.params_id = e.params_id and t.name = 'model.onnx'
  join rafiki.blob b on b.hash = t.hash
  where d.model_id = model.id and d.state = 'ready';
  if not found then
    perform rafiki._explain_no_answer(model_name);
  elsif object is not null then
    raise exception using errcode = 'feature_not_supported', message = format('the weights of model "%s" are kept in S3', model_name),
      detail = format('As %s, under the prefix of RAFIKI_PARAMS.', object),
      hint = 'Fetch that object: after a header of a few bytes it is the ONNX file.';
  end if;
  return onnx;
end $$;

create or replace function rafiki_export(model text) returns bytea
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._export(model) $$;

comment on function rafiki_export(text) is
  'The deployed version of your model as an ONNX file, of an ensemble the best member: weights included, for any runtime that '
  'reads ONNX. What turns texts into its inputs is not in it; images go in as numbers of 0 to 255.';
