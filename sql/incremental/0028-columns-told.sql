alter table rafiki.study add column warning text check (length(warning) <= 1000);

-- The view has the names of several inputs now, in a text: its columns cannot be replaced.
drop view if exists rafiki.attachments;
