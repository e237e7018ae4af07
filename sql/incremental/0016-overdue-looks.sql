-- How often the leader has seen that the lease of a trial has run out. While Postgres is away nobody looks, however long that takes.
alter table rafiki.trial add overdue_looks int not null default 0;
