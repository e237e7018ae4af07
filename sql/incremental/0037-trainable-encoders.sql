-- Encoders whose weights studies train further: docs/decisions/0045-tuned-encoders.md.

-- why its weights cannot be trained further; null if they can
alter table rafiki.encoder add column obstacle text
  default 'It was added by a version that did not train encoders: remove it, and add it again.';
alter table rafiki.encoder alter column obstacle drop default;
