-- Weights to take away: of his own models, as the owner's key proves.

-- The best member of the version that answers, as an ONNX file, or what it is called in S3.
create or replace function rafiki._read_weights(owner_key uuid) returns table (onnx bytea, object text)
language sql stable strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
  -- the file is a tensor of bytes, and a tensor's bytes are the end of what is stored of it
  select substr(b.data, octet_length(b.data) - t.shape[1] + 1), encode(b.hash, 'hex') || '/' || b.object_id
  from rafiki.model_key k
  join rafiki.deployment d on d.model_id = k.model_id and d.state = 'ready'
  join rafiki.model_member e on e.version_id = d.version_id and e.rank = 0
  join rafiki.params_tensor t on t.params_id = e.params_id and t.name = 'model.onnx'
  join rafiki.blob b on b.hash = t.hash
  where k.owner_key = _read_weights.owner_key
$$;

create or replace function rafiki._export(model_name text) returns bytea
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  own record;
  weights record;
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
      hint = 'Fetch that object: after a header of a few bytes it is the ONNX file.';
  end if;
  return weights.onnx;
end $$;

create or replace function rafiki_export(model text) returns bytea
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._export(model) $$;

comment on function rafiki_export(text) is $$The deployed version of your model as an ONNX file, of an ensemble the best member: weights included, for any runtime
that reads ONNX. What turns texts into its inputs is not in it; images go in as numbers of 0 to 255.

Arguments:
  model: one of your models

Result: the bytes of the file

Errors:
  42704: no such model
  42501: the model is another's
  55000: the model is not deployed
  0A000: its weights are kept in S3

Example:
  select length(rafiki_export('reviews_sentiment'));$$;
