-- exp(-log loss) has a name of its own: a loss is better where it is smaller, and scores where they are larger.
alter table rafiki.study drop constraint study_metric_check;
update rafiki.study set metric = 'likelihood' where metric = 'log_loss';
update rafiki.model_version set metric = 'likelihood' where metric = 'log_loss';
alter table rafiki.study add check (metric in ('accuracy', 'macro_f1', 'likelihood', 'auc', 'map50'));
