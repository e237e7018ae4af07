insert into rafiki.task (name, input, title) values
  ('sentiment', 'text', 'what a text feels: text → label'),
  ('text_classification', 'text', 'which class a text belongs to: text → label')
on conflict (name) do update set input = excluded.input, title = excluded.title;
