-- Studies may try several pretrained encoders: docs/decisions/0042-image-encoders.md.

-- chosen when the study begins, the one added last first, so that all its trials and refits have the same ones
alter table rafiki.study add column encoder_ids bigint[];
