-- Nobody but rafiki_service reads these any more: row-level security, which does not hide what a column holds, is not what keeps others out.
alter table rafiki.blob disable row level security;
alter table rafiki.params_tensor disable row level security;
alter table rafiki.predict_stat disable row level security;
