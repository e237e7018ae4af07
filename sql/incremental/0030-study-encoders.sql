-- Studies may try several pretrained encoders: docs/decisions/0042-several-encoders.md.

-- chosen when the study begins, the one added last first, so that all its trials and refits have the same ones
alter table rafiki.study add column encoder_ids bigint[];
alter table rafiki.study drop column if exists encoder_id; -- of an unreleased version
