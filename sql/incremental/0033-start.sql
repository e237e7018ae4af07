-- Studies that start from a model: docs/decisions/0044-families-from-elsewhere.md.

-- What a member's trial has published, with roles: trials of studies that start from the model take it.
alter table rafiki.model_member add column weights_id bigint references rafiki.params (id);
create index model_member_weights on rafiki.model_member (weights_id) where weights_id is not null;

-- the version of a model that its trials may start from
alter table rafiki.study add column start_version bigint references rafiki.model_version (id) on delete set null;
create index study_start on rafiki.study (start_version) where start_version is not null;

-- null: of a model, whose trial has other rows
alter table rafiki.trial_start alter column parent_id drop not null;
