import { useEffect, useId, useRef, useState } from 'preact/hooks';
import type { ModelInputsAnswer } from '../../../http/charts/model-inputs.ts';

export type Question =
  | { kind: 'text'; query: string }
  | { kind: 'columns'; query: Record<string, unknown> }
  | { kind: 'image'; file: File; url: string };

export interface QuestionInputProps {
  inputs: ModelInputsAnswer;
  isBusy: boolean;
  onAsk(question: Question): void;
}

const MAX_IMAGE_BYTES = 33_554_432;

export function TextInput({ isBusy, onAsk }: QuestionInputProps) {
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const query = String(new FormData(event.currentTarget as HTMLFormElement).get('text'));
    onAsk({ kind: 'text', query });
  };
  return (
    <form class="stack" onSubmit={submit}>
      <label class="field">
        A text
        <textarea name="text" rows={4} required placeholder="Type or paste a text" />
      </label>
      <div>
        <button class="main" type="submit" disabled={isBusy}>
          Predict
        </button>
      </div>
    </form>
  );
}

/** A photo is sent as soon as it is chosen, or dropped. */
export function PhotoInput({ isBusy, onAsk }: QuestionInputProps) {
  const [problem, setProblem] = useState<string>();
  const last = useRef<string>(undefined);
  useEffect(
    () => () => {
      if (last.current !== undefined) URL.revokeObjectURL(last.current);
    },
    [],
  );
  const choose = (file: File | undefined): void => {
    if (file === undefined) return;
    if (file.size > MAX_IMAGE_BYTES) {
      setProblem(`${file.name} has more than 32 MiB. Choose a smaller one.`);
      return;
    }
    setProblem(undefined);
    if (last.current !== undefined) URL.revokeObjectURL(last.current);
    last.current = URL.createObjectURL(file);
    onAsk({ kind: 'image', file, url: last.current });
  };
  return (
    <div
      class="drop stack"
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        choose(event.dataTransfer?.files[0]);
      }}
    >
      <label class="field">
        A photo: drop it here, or choose a file
        <input
          type="file"
          accept="image/*"
          disabled={isBusy}
          onChange={({ currentTarget }) => choose(currentTarget.files?.[0])}
        />
      </label>
      {problem !== undefined && <span role="alert">{problem}</span>}
    </div>
  );
}

/** A field for each column; an empty one is NULL. */
export function ColumnsInput({ inputs: { columns }, isBusy, onAsk }: QuestionInputProps) {
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement);
    const query: Record<string, unknown> = {};
    for (const { name, kind } of columns) query[name] = readField(kind, String(given.get(name) ?? ''));
    onAsk({ kind: 'columns', query });
  };
  return (
    <form class="stack" onSubmit={submit}>
      <div class="form-grid">
        {columns.map((column) => (
          <ColumnField key={column.name} {...column} />
        ))}
      </div>
      <div class="row-of">
        <button class="main" type="submit" disabled={isBusy}>
          Predict
        </button>
        <span class="muted">An empty field is NULL.</span>
      </div>
    </form>
  );
}

function ColumnField({ name, kind }: ModelInputsAnswer['columns'][number]) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{name}</label>
      {kind === 'boolean' ? (
        <select id={id} name={name}>
          <option value="">–</option>
          <option value="true">true</option>
          <option value="false">false</option>
        </select>
      ) : (
        <input
          id={id}
          name={name}
          inputMode={kind === 'number' ? 'decimal' : 'text'}
          placeholder={hints[kind] ?? kind}
        />
      )}
    </div>
  );
}

const hints: Readonly<Record<string, string>> = {
  number: 'number',
  text: 'text',
  time: '2026-03-01T12:00',
  interval: '2 days',
  list: '[1, 2, 3]',
  object: '{"a": 1}',
};

/** Numbers may be texts, so that none loses digits; lists and objects are JSON, and the server says if they are not. */
function readField(kind: string, text: string): unknown {
  if (text === '') return null;
  if (kind === 'boolean') return text === 'true';
  if (kind !== 'list' && kind !== 'object') return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
