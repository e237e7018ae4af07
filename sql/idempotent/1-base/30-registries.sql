-- The contents of the registries in src/. The build replaces the names between
-- @ with their rows as JSON (src/cli/install/registries.ts), so that functions
-- can check arguments against them even if no coordinator has ever run.
insert into rafiki.task (name, input, output, title)
select w.name, w.input, w.output, w.title
from jsonb_to_recordset('@task@') w (name text, input text, output text, title text)
on conflict (name) do update set input = excluded.input, output = excluded.output, title = excluded.title;

delete from rafiki.metric;
insert into rafiki.metric (name, output, place, title)
select w.name, w.output, w.place, w.title
from jsonb_to_recordset('@metric@') w (name text, output text, place int, title text);

delete from rafiki.advisor;
insert into rafiki.advisor (name, place, title)
select w.name, w.place, w.title
from jsonb_to_recordset('@advisor@') w (name text, place int, title text);

delete from rafiki.column_kind;
insert into rafiki.column_kind (name, title, types, categories)
select w.name, w.title, w.types, w.categories
from jsonb_to_recordset('@column_kind@') w (name text, title text, types text[], categories text[]);

-- a family from elsewhere gives way to one of Rafiki with its name
delete from rafiki.family f
where not f.of_workers or f.name in (select w.name from jsonb_to_recordset('@family@') w (name text));
insert into rafiki.family (name, task, title, knobs)
select w.name, w.task, w.title, w.knobs
from jsonb_to_recordset('@family@') w (name text, task text, title text, knobs jsonb);

-- The kind of output of a task: 'label', 'number' or 'boxes'.
create or replace function rafiki._output(task text) returns text
language sql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$ select t.output from rafiki.task t where t.name = _output.task $$;
