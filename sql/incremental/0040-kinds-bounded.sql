-- A study's row is written for its owner, who may forge the request: a worker reads all of it.
alter table rafiki.study add constraint study_kinds_bounded check (octet_length(array_to_string(kinds, ',')) <= 65536);
