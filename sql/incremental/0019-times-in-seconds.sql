-- A month is 30 days where intervals are compared, and of any length where one is added to a moment: what says '4000000 months
-- -119999999 days' is a day by the one and beyond all time by the other. So times are kept in seconds.
update rafiki.study set max_time = make_interval(secs => least(greatest(extract(epoch from max_time), 1), 2592000)::float8);
alter table rafiki.study drop constraint study_max_time,
  add constraint study_max_time check (extract(epoch from max_time) between 0 and 2592000
    and (extract(year from max_time), extract(month from max_time), extract(day from max_time)) = (0, 0, 0));
update rafiki.model set latency_budget = make_interval(secs => least(greatest(extract(epoch from latency_budget), 0.001), 86400)::float8)
where latency_budget is not null;
alter table rafiki.model drop constraint model_latency_budget,
  add constraint model_latency_budget check (extract(epoch from latency_budget) between 0 and 86400
    and (extract(year from latency_budget), extract(month from latency_budget), extract(day from latency_budget)) = (0, 0, 0));

-- Whoever attaches somebody's model and does not commit must not hold its row, which a foreign key would lock.
alter table rafiki.attachment drop constraint attachment_model_id_fkey;
