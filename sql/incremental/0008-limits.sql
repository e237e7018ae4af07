-- Servers keep the classes of all models, and coordinators those of a study: src/domain/class-limits.ts says how many. What was
-- trained before them stays, and a server does not take it.
alter table rafiki.model_version
  add constraint model_version_classes
    check (cardinality(classes) <= 10000 and octet_length(array_to_string(classes, '')) <= 1048576) not valid;
alter table rafiki.validation
  add constraint validation_classes
    check (cardinality(classes) <= 10000 and octet_length(array_to_string(classes, '')) <= 1048576) not valid;
