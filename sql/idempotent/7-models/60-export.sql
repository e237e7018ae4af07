-- Exporting the weights of one's own models.

-- The best member of the deployed version as an ONNX file, or the name of its object in S3. The owner key proves the caller's right.
create or replace function rafiki._read_weights(owner_key uuid) returns table (onnx bytea, object text)
language sql stable strict parallel unsafe security definer
set search_path = pg_catalog, pg_temp
as $$
  -- the file is stored as a tensor of bytes, whose data is at the end of the stored blob
  select substr(b.data, octet_length(b.data) - t.shape[1] + 1), encode(b.hash, 'hex') || '/' || b.object_id
  from rafiki.model_key k
  join rafiki.deployment d on d.model_id = k.model_id and d.state = 'ready'
  join rafiki.model_member e on e.version_id = d.version_id and e.rank = 0
  join rafiki.params_tensor t on t.params_id = coalesce(e.refit_params_id, e.params_id) and t.name = 'model.onnx'
  join rafiki.blob b on b.hash = t.hash
  where k.owner_key = _read_weights.owner_key
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
  join rafiki.params p on p.id = coalesce(e.refit_params_id, e.params_id) and p.stands_on is not null
  left join rafiki.encoder n on n.params_id = p.stands_on
  where k.owner_key = _encoder_under.owner_key
  order by n.id limit 1
$$;

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
    raise notice using message = format('the file is a part of model "%s": its input is the vector of an encoder', model_name),
      detail = format('The encoder is %s.', coalesce(nullif(encoder, ''), 'one that was removed')),
      hint = format('An administrator writes its file with: rafiki encoder export %s FILE; its vector goes into the input "embedding".',
                    coalesce(nullif(encoder, ''), 'NAME'));
  end if;
  return weights.onnx;
end $$;

create or replace function rafiki_export(model text) returns bytea
language sql stable strict parallel unsafe
set search_path = pg_catalog, pg_temp
as $$ select rafiki._export(model) $$;

comment on function rafiki_export(text) is $$The deployed version of your model as an ONNX file with its weights, for any ONNX runtime; for an ensemble, its best
member, whose probabilities are not calibrated. The preprocessing of texts is not included; images are numbers from 0 to 255. Of a model on a
pretrained encoder it is the part after the encoder, whose vector is its input; a notice names the encoder.

Arguments:
  model: one of your models

Result: the bytes of the file

Errors:
  42704: no such model
  42501: the model belongs to another role
  55000: the model is not deployed
  0A000: its weights are kept in S3

Example:
  select length(rafiki_export('reviews_sentiment'));$$;
