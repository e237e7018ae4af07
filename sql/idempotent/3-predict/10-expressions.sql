-- Read-ahead for inputs that are expressions: "select rafiki_predict(m, title || ' ' || body) from t". Postgres
-- passes only the value, so the expression is parsed here from the text of the query, token by token. Only safe
-- expressions are evaluated: text columns, literals, and functions of pg_catalog that cannot fail and have no
-- side effects, on rows of limited length, because a text must stay below 1 GB. replace() is left out for the
-- same reason. If the expression is misunderstood, its value is not found in the table and nothing is read ahead.

-- The text functions that are supported: the number of leading text arguments (the other arguments are
-- numbers), and the minimum and maximum number of arguments. Numbers must be literals without a sign.
create or replace function rafiki._text_functions()
returns table (name text, texts int, min_arguments int, max_arguments int)
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  values ('lower', 1, 1, 1), ('upper', 1, 1, 1), ('initcap', 1, 1, 1), ('btrim', 2, 1, 2), ('ltrim', 2, 1, 2), ('rtrim', 2, 1, 2),
         ('trim', 1, 1, 1), ('reverse', 1, 1, 1), ('left', 1, 2, 2), ('right', 1, 2, 2), ('substr', 1, 2, 3),
         ('substring', 1, 2, 3), ('concat', 100, 1, 100), ('concat_ws', 100, 2, 100), ('coalesce', 100, 1, 100), ('nullif', 2, 2, 2)
$$;

-- Splits SQL into tokens; keywords and unquoted names are folded to lower case. A literal with
-- a backslash is deliberately split up and so not understood: its meaning depends on settings.
create or replace function rafiki._words(sql text) returns text[]
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select array_agg(case when m.word[1] ~ '^[''"]' then m.word[1] else lower(m.word[1]) end order by m.place)
  from regexp_matches(sql, e'''(?:[^''\\\\]|'''')*''|"(?:[^"]|"")+"|[[:alpha:]_][[:alnum:]_$]*|[0-9]+|\\|\\||::|=>|-{2}|/\\*|[^[:space:]]', 'g')
       with ordinality m (word, place)
$$;

-- The first and last token of the second argument of a call whose first
-- argument begins at token `at`; no row if there is no second argument.
create or replace function rafiki._second_argument(words text[], at int)
returns table (first int, last int)
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  depth int := 0;
begin
  for i in greatest(at, 1)..cardinality(words) loop
    if words[i] = '(' then
      depth := depth + 1;
    elsif depth > 0 and words[i] = ')' then
      depth := depth - 1;
    elsif depth = 0 and words[i] in (',', ')', ';') then
      if first is not null then
        last := i - 1;
        return next;
      end if;
      exit when first is not null or words[i] <> ',';
      first := i + 1;
    end if;
  end loop;
end $$;

-- Rebuilds a text expression as safe SQL; null if any token is not understood. `columns` are
-- the text columns of the table. The parser alternates between values and operators, commas
-- or brackets. Every column gets the default collation, so that collations cannot conflict.
create or replace function rafiki._text_expression(words text[], columns name[]) returns text
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  result text := '';
  wants_value boolean := true;
  calls text[] := '{}'; -- the open function calls, innermost last; '' is a plain bracket
  places int[] := '{}'; -- the current argument of each
  depth int := 0;
  called record;
  wants_number boolean := false;
  at int := 1;
  word text;
begin
  while at <= cardinality(words) loop
    select f.* into called from rafiki._text_functions() f where f.name = calls[depth];
    wants_number := depth > 0 and calls[depth] <> '' and places[depth] > called.texts;
    if wants_value and words[at + 1] = '.' and words[at] ~ '^["[:alpha:]_]' then
      at := at + 2; -- skips the table's name before a column
    end if;
    word := words[at];
    at := at + 1;
    if wants_value and (word = '(' or words[at] = '(' and exists (select from rafiki._text_functions() f where f.name = word)) then
      if wants_number then
        return null;
      elsif word <> '(' then
        at := at + 1;
      end if;
      result := result || case word when '(' then word else word || '(' end;
      depth := depth + 1;
      calls[depth] := case word when '(' then '' else word end;
      places[depth] := 1;
    elsif wants_value and wants_number then
      if word !~ '^[0-9]{1,9}$' then
        return null;
      end if;
      result := result || word;
      wants_value := false;
    elsif wants_value then
      if word like '''%' then
        result := result || word || '::text';
      elsif trim('"' from replace(word, '""', '"')) = any (columns) then
        result := result || format('(%I::text collate "default")', trim('"' from replace(word, '""', '"')));
      else
        return null;
      end if;
      wants_value := false;
    elsif word = ')' and depth > 0 and (calls[depth] = '' or places[depth] >= called.min_arguments) then
      result := result || word;
      depth := depth - 1;
    elsif word = ',' and depth > 0 and calls[depth] <> '' and places[depth] < called.max_arguments then
      result := result || ', ';
      places[depth] := places[depth] + 1;
      wants_value := true;
    elsif word = '||' and not wants_number then
      result := result || ' || ';
      wants_value := true;
    elsif word = '::' and not wants_number and words[at] in ('text', 'varchar') then
      at := at + 1;
    else
      return null;
    end if;
  end loop;
  return case when depth = 0 and not wants_value then '(' || result || ')' end;
end $$;

-- The input expressions of the rafiki_predict calls in the running query, as far as they
-- are text expressions over a relation's columns; nth counts the calls in the query's text.
create or replace function rafiki._query_expressions(relation oid) returns table (nth int, expression text)
language plpgsql stable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  max_chars constant int := 20000; -- of the query: bounds parsing to a few milliseconds
  max_calls constant int := 8;
  max_bytes constant int := 50000; -- of a row's texts: the expression may repeat each of them a few thousand times
  query constant text := left(current_query(), max_chars);
  words text[];
  columns name[];
begin
  if query !~* 'rafiki_predict' then
    return;
  end if;
  words := rafiki._words(query);
  columns := array(select a.attname from pg_attribute a where a.attrelid = relation and a.attnum > 0 and not a.attisdropped
                   and a.atttypid = any ('{text,varchar}'::regtype[]));
  return query
    select c.nth::int, format('case when %s <= %s then %s end', (
      select string_agg(format('coalesce(octet_length(%I), 0)', u.name), ' + ') from unnest(columns) u (name)), max_bytes, e.expression)
    from (select row_number() over (order by u.place) as nth, u.place::int as place from unnest(words) with ordinality u (word, place)
          where u.word = 'rafiki_predict' and words[u.place + 1] = '(' order by u.place limit max_calls) c
    cross join lateral rafiki._second_argument(words, c.place + 2) a
    cross join lateral (select case when words[a.first + 1] = '=>' then a.first + 2 else a.first end as first) b
    cross join lateral rafiki._text_expression(words[b.first:a.last], columns) e (expression)
    where e.expression is not null and words[b.first:a.last] && array['||', '('];
end $$;
