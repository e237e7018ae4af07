-- Each prediction looks a key up by the name of its model, for a role that may use it: in one table and by one index, or it is a tenth of
-- what a row of a scan takes.
alter table rafiki.model_key add name text unique, add owner regrole;
update rafiki.model_key k set name = m.name, owner = m.owner from rafiki.model m where m.id = k.model_id;
alter table rafiki.model_key alter name set not null, alter owner set not null,
  add foreign key (name) references rafiki.model (name) on update cascade on delete cascade,
  add foreign key (model_id, owner) references rafiki.model (id, owner) on update cascade on delete cascade,
  drop constraint model_key_model_id_fkey;
