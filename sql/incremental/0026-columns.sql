-- Inputs of several columns, and numbers as answers: docs/decisions/0031-inputs-of-columns.md.

-- the rows of the registry say which there are
alter table rafiki.task drop constraint task_input_check, drop constraint task_output_check;

-- What models of several columns can read, as rafiki.task says what can be learnt. `types` are names in pg_catalog, `categories` letters of
-- pg_type.typcategory.
create table rafiki.column_kind (
  name text primary key,
  title text not null,
  types text[] not null,
  categories text[] not null
);

-- the kinds of the features, in their order; null where the one feature is a text or an image
alter table rafiki.study add column kinds text[] check (cardinality(kinds) = cardinality(features));

-- what a version reads; null in versions from before. A role with a grant sees it, unlike the study.
alter table rafiki.model_version add column features name[], add column kinds text[] check (cardinality(kinds) = cardinality(features));
update rafiki.model_version v set features = s.features from rafiki.study s where s.id = v.study_id;
