insert into rafiki.task (name, input, output, title) values
  ('sentiment', 'text', 'label', 'what a text feels: text → label'),
  ('text_classification', 'text', 'label', 'which class a text belongs to: text → label'),
  ('image_classification', 'image', 'label', 'which class an image belongs to: bytea → label'),
  ('object_detection', 'image', 'boxes', 'where which objects are in an image: bytea → jsonb array of {label, x, y, w, h}')
on conflict (name) do update set input = excluded.input, output = excluded.output, title = excluded.title;

insert into rafiki.quota (name, value, title) values
  ('open_studies', 100, 'studies of one role that are queued or running')
on conflict (name) do update set title = excluded.title;
