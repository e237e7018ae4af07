-- Whether a token predicts and does nothing else; its function is another one.
alter table rafiki.token add column only_predicts boolean not null default false;
