-- bench_rows has the columns of the data set; its rows are put in later.
create extension plpython3u;

create table peer_model (name text primary key, onnx bytea, columns jsonb, classes text[]);

create function peer_predict(model text, r bench_rows) returns text language plpython3u stable parallel safe cost 100 as $$
import peer_rows
return peer_rows.model(plpy, model, 1).predict(r)
$$;

create function peer_predict_rows(model text, given bench_rows[], threads int) returns text[] language plpython3u stable parallel safe cost 1000 as $$
import peer_rows
return peer_rows.model(plpy, model, threads).predict_rows(given)
$$;

-- One row a page, so that the processes of a parallel query share them; 1024 rows each.
create function peer_chunk(model text, chunk int) returns bigint language sql stable parallel safe cost 100000 as $$
  select cardinality(peer_predict_rows(model, array_agg(r), 1)) from bench_rows r where id between 1024 * chunk + 1 and 1024 * chunk + 1024
$$;
create table peer_chunks (chunk int, filler text) with (parallel_workers = 1);
alter table peer_chunks alter filler set storage plain;
insert into peer_chunks select i, repeat('x', 7000) from generate_series(0, 9) i;
