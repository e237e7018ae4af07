-- As rafiki._check_classes, but for numbers: each target must be one, and they must not be equal.
create or replace function rafiki._check_numbers(request rafiki.study) returns void
language plpgsql stable parallel unsafe
set search_path = pg_catalog, pg_temp
as $$
declare
  is_given constant text := rafiki._given_test(request.kinds is not null, 'r.input');
  is_number constant text := rafiki._number_test('r.label::text');
  counted record;
  bad record;
begin
  execute format('select count(*) as total, count(*) filter (where label is not null) as labelled, count(*) filter (where is_number) as numbers, '
                 'count(*) filter (where is_number and validates) as validating, min(number) as lowest, min(number) = max(number) as is_constant '
                 'from (select case when %2$s then r.label::text end as label, r.validates, %2$s and %3$s as is_number, '
                 'case when %2$s and %3$s then r.label::text::numeric end as number from (%1$s) r) t',
                 rafiki._study_rows(request), is_given, is_number) into counted;
  perform rafiki._check_counts(request, counted.total, counted.labelled);
  if counted.numbers < counted.labelled and (request.on_bad_row <> 'skip' or counted.numbers = 0) then
    execute format('select r.name, left(r.label::text, 60) as label from (%s) r where r.label is not null and %s and not %s limit 1',
                   rafiki._study_rows(request, true), is_given, is_number) into bad;
    raise exception using errcode = 'data_exception', message = format('"%s" is not a number in %s of %s rows', request.target,
                                                                       counted.labelled - counted.numbers, counted.labelled),
      detail = format('%s"%s".', coalesce(nullif(bad.name, '') || ': ', 'Such as '), bad.label),
      hint = case when counted.numbers = 0 then 'Name another column with target =>, or cast it in a view.'
                  else 'Correct them, or leave them out with on_bad_row => ''skip''; NaN, infinity and numbers above 3.4e38 cannot be learnt either.' end;
  elsif rafiki._has_validation_rows(request) then
    perform rafiki._check_sides(request, counted.numbers - counted.validating, counted.validating);
  end if;
  if counted.is_constant then
    raise exception using errcode = 'data_exception', message = format('all numbers of "%s" are the same', request.target),
      detail = format('It is %s in all %s labelled rows.', left(trim_scale(counted.lowest)::text, 40), counted.numbers),
      hint = 'There is nothing to predict: name another column with target =>.';
  end if;
  perform rafiki._check_inputs(request);
end $$;
