import { useState } from 'preact/hooks';

const SHOWN_MS = 2_000;

/** A statement, and a button that copies it. */
export function CopiedSql({ sql, name }: { sql: string; name: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(sql);
    setCopied(true);
    window.setTimeout(() => setCopied(false), SHOWN_MS);
  };
  return (
    <div class="sql">
      <pre>
        <code>{sql}</code>
      </pre>
      {/* without TLS a browser gives pages of other hosts than this one no clipboard */}
      {'clipboard' in navigator && navigator.clipboard !== undefined && (
        <button type="button" onClick={() => void copy()} aria-label={`Copy ${name}`}>
          {isCopied ? 'Copied' : 'Copy'}
        </button>
      )}
    </div>
  );
}
