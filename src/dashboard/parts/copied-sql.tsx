import { useState } from 'preact/hooks';

const SHOWN_MS = 2_000;

/** A statement, and a button that copies it. */
export function CopiedSql({ sql, name }: { sql: string; name: string }) {
  const [word, setWord] = useState<'Copy' | 'Copied' | 'Not allowed'>('Copy');
  const copy = async (): Promise<void> => {
    const isCopied = await navigator.clipboard.writeText(sql).then(
      () => true,
      () => false, // the browser, or its user, may refuse
    );
    setWord(isCopied ? 'Copied' : 'Not allowed');
    window.setTimeout(() => setWord('Copy'), SHOWN_MS);
  };
  return (
    <div class="sql">
      <pre>
        <code>{sql}</code>
      </pre>
      {/* without TLS a browser gives pages of other hosts than this one no clipboard */}
      {'clipboard' in navigator && navigator.clipboard !== undefined && (
        <button type="button" onClick={() => void copy()} aria-label={`Copy ${name}`}>
          {word}
        </button>
      )}
    </div>
  );
}
