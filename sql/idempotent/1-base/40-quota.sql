-- Values that an administrator has set are kept on upgrades, and
-- are part of dumps: a restored row replaces the default row.
create or replace function rafiki._take_quota() returns trigger
language plpgsql volatile parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
begin
  update rafiki.quota q set value = new.value where q.name = new.name;
  return case when not found then new end;
end $$;

create or replace trigger take_quota before insert on rafiki.quota
  for each row execute function rafiki._take_quota();

with known (name, value, title) as (values
  ('open_studies', 100, 'studies of one role that are queued or running'),
  ('open_imports', 10, 'imports of one role that wait to be checked'),
  ('attachments', 1000, 'columns in tables of one role that models are attached to'),
  ('tokens', 50, 'tokens of one role for the HTTP server'),
  ('token_days', 366, 'days that a token is valid at most'),
  ('kept_versions', null, 'versions of each model that are kept, the newest, in addition to those that are needed; null: all')
), titled as (
  update rafiki.quota q set title = k.title from known k where k.name = q.name
)
insert into rafiki.quota (name, value, title)
select k.name, k.value, k.title from known k where not exists (select from rafiki.quota q where q.name = k.name);
