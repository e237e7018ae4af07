create extension plpython3u;
set check_function_bodies = off; -- bench_scan comes later

create table peer_model (
  name text primary key, onnx bytea, hashes bytea, ngrams int, unknown int, margin int, max_tokens int, classes text[]
);

create function peer_predict(model text, body text) returns text language plpython3u stable parallel safe cost 100 as $$
import peer
return peer.model(plpy, model).predict(body)
$$;

create function peer_predict_many(model text, bodies text[]) returns text[] language plpython3u stable parallel safe cost 1000 as $$
import peer
return peer.model(plpy, model).predict_many(bodies)
$$;

-- One row a page, so that the processes of a parallel query share them; 256 texts each.
create function peer_chunk(model text, chunk int) returns bigint language sql stable parallel safe cost 100000 as $$
  select cardinality(peer_predict_many(model, array_agg(body))) from bench_scan where id between 256 * chunk + 1 and 256 * chunk + 256
$$;
create table peer_chunks (chunk int, filler text) with (parallel_workers = 1);
alter table peer_chunks alter filler set storage plain;
insert into peer_chunks select i, repeat('x', 7000) from generate_series(0, 39) i;
