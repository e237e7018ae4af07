-- Keys in tables that nobody but rafiki_owner and rafiki_service may read. Row-level security does not hide what a column holds from
-- who may compare it: EXPLAIN ANALYZE counts the rows that it filtered, and planners estimate by what is there.
create table rafiki.model_key (
  model_id bigint primary key references rafiki.model (id) on delete cascade,
  -- who knows it may use the model: the bridge takes it as the proof
  key uuid not null unique default gen_random_uuid(),
  -- who knows it may change the model: functions take it as the proof
  owner_key uuid not null unique default gen_random_uuid()
);
insert into rafiki.model_key (model_id) select id from rafiki.model;
drop trigger if exists notify_key on rafiki.model;
drop trigger if exists renew_ownership on rafiki.model;
drop trigger if exists make_ownership on rafiki.model;
drop table rafiki.ownership;
-- it stays for dumps of 0.1.0, which have it, and says nothing any more
alter table rafiki.model drop constraint model_key_key, alter column key drop not null, alter column key drop default;
update rafiki.model set key = null;

create table rafiki.study_key (
  study_id bigint primary key references rafiki.study (id) on delete cascade,
  -- who knows it may cancel the study: functions take it as the proof
  key uuid not null unique default gen_random_uuid()
);
insert into rafiki.study_key (study_id) select id from rafiki.study;
alter table rafiki.study drop column key;

-- what each session of rafiki_reader is for, which its service says: the hash of the ticket of the one function that it may call
create table rafiki.reading (
  pid int primary key,
  ticket text not null
);
-- of a ticket the hash is kept: it stands in the function, and is no secret
update rafiki.study set ticket = encode(sha256(convert_to(ticket, 'UTF8')), 'hex') where ticket is not null;
