-- What the members of a version are, said once.

-- versions of before ensembles had weights
update rafiki.model_version set rule = 'vote' where rule is null;
alter table rafiki.model_version alter column rule set default 'vote', alter column rule set not null;
update rafiki.model_member set weight = coalesce(weight, 1), temperature = coalesce(temperature, 1) where weight is null or temperature is null;
alter table rafiki.model_member
  alter column weight set default 1, alter column weight set not null,
  alter column temperature set default 1, alter column temperature set not null,
  add column answering_params_id bigint not null generated always as (coalesce(refit_params_id, params_id)) stored;
