-- Pretrained encoders: docs/decisions/0040-encoders.md.

create table rafiki.encoder (
  id bigint generated always as identity primary key,
  name text not null unique check (name ~ '^[a-z][a-z0-9_-]{0,62}$'),
  input text not null check (input in ('text', 'image')),
  -- numbers of a vector
  width int not null check (width > 0),
  params_id bigint not null references rafiki.params (id),
  -- where it came from, its licence as given there, and bytes of its ONNX file
  source text not null,
  licence text,
  bytes bigint not null,
  -- whether every role may use it
  is_public boolean not null default true,
  created_at timestamptz not null default now()
);
create index encoder_params on rafiki.encoder (params_id);

-- who may train with an encoder that is not for every role
create table rafiki.encoder_grant (
  encoder_id bigint not null references rafiki.encoder (id) on delete cascade,
  role regrole not null,
  primary key (encoder_id, role)
);

-- the encoder that a model's inputs go through: its weights stay as long as models stand on them
alter table rafiki.params add column stands_on bigint references rafiki.params (id);
create index params_stands_on on rafiki.params (stands_on) where stands_on is not null;
