-- Ensembles with weights: docs/decisions/0038-ensembles.md.

-- How the members of its model decide together; null: as its validation rows prefer.
alter table rafiki.study add ensemble text check (ensemble in ('best', 'vote', 'weighted'));

-- What a trial answered on validation rows, to fit weights to: at most 2 MB, of the best trials of each family, and only until the study has its
-- model. float32, little endian; of a classifier the probabilities of each row, of more than 32 classes the 16 largest and their classes; of a detector 64 objects of
-- each image. Null where predictions say all.
alter table rafiki.trial add kept_answers bytea;
alter table rafiki.trial_variant add kept_answers bytea;

-- How its members decide together; null in versions of before, which vote.
alter table rafiki.model_version add rule text check (rule in ('best', 'vote', 'weighted'));

-- Null in versions of before. Shares of the members in full precision add up to 1 where the rule is weighted; a variant counts as the member whose
-- rank it names. The logarithms of probabilities are divided by the temperature.
alter table rafiki.model_member
  add weight float8 check (weight >= 0),
  add temperature float8 check (temperature > 0),
  add variant_of int;
