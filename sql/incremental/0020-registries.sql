-- What may be said for the arguments advisor and metric of rafiki_train, as rafiki.task and rafiki.family say it for theirs. `place` is the
-- order in which they are offered: the first metric of an output is its default.
create table rafiki.advisor (
  name text primary key,
  place int not null,
  title text not null
);

create table rafiki.metric (
  name text primary key,
  output text not null,
  place int not null,
  title text not null
);

-- the rows of rafiki.metric say which there are
alter table rafiki.study drop constraint study_metric_check, add constraint study_metric check (length(metric) <= 63);
