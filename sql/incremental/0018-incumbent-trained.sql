-- On how many of the study's validation rows the deployed version, whose score on them is known, was trained; null where that is not known.
alter table rafiki.study add incumbent_trained int;
