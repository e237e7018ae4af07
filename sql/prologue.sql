-- Nothing of other people's is looked up while this script runs: an operator or a function in "public" could stand in for one of
-- pg_catalog's, and would run with the rights of whoever installs. So all is made in schema rafiki, where nobody else can create;
-- 998-ownership.sql moves the API to the schema that it belongs to.
do $$
declare
  present pg_catalog.text; -- where an earlier version has its API
begin
  select p.pronamespace::pg_catalog.regnamespace::pg_catalog.text into present
  from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.nspname = 'rafiki' and n.nspowner = p.proowner
  where p.proname = 'rafiki_train';
  perform pg_catalog.set_config('rafiki.home', coalesce(present, pg_catalog.quote_ident(pg_catalog.current_schema())), true);
end $$;
set local search_path = rafiki, pg_temp;
