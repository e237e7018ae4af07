/** What the comment of a function says, which is written in one way (docs/howto/sql-function.md). */
export interface FunctionComment {
  text: string;
  arguments: Map<string, string>;
  result: string;
  /** SQLSTATE and when, or another function whose errors are meant. */
  errors: { sqlstate?: string; when: string }[];
  /** A statement, with its semicolon. */
  example: string;
}

/**
 * Blank lines part the text, "Arguments:", "Result:", "Errors:" and "Example:", each at most once and in that order. Throws a
 * SyntaxError for anything else.
 */
export function parseComment(comment: string): FunctionComment {
  const [text = '', ...sections] = comment.trim().split(/\n\n(?=[A-Z][a-z]+:)/);
  const found = new Map(
    sections.map((section) => {
      const [, title = '', body = ''] = /^([A-Z][a-z]+):\s*([\s\S]*)$/.exec(section) ?? [];
      return [title, body] as const;
    }),
  );
  const order = titles.filter((title) => found.has(title));
  if (order.join() !== [...found.keys()].join() || found.size !== sections.length)
    throw new SyntaxError(`sections are ${titles.join(', ')}, in that order; given: ${[...found.keys()].join(', ')}`);
  return {
    text: flowing(text),
    arguments: new Map(itemsOf(found.get('Arguments')).map((item) => splitAt(item, ': '))),
    result: flowing(found.get('Result') ?? ''),
    errors: itemsOf(found.get('Errors')).map((item) => {
      const [sqlstate, when] = splitAt(item, ': ');
      return /^[0-9A-Z]{5}$/.test(sqlstate) ? { sqlstate, when } : { when: item };
    }),
    example: (found.get('Example') ?? '').replace(/^ {2}/gm, ''),
  };
}

const titles = ['Arguments', 'Result', 'Errors', 'Example'];

/** Lines that are indented by four continue the previous one. */
const itemsOf = (section = ''): string[] =>
  section === ''
    ? []
    : section
        .replace(/\n {4,}/g, ' ')
        .split('\n')
        .map((line) => line.trim());

const flowing = (text: string): string => text.replace(/\s*\n\s*/g, ' ');

function splitAt(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + mark.length)];
}
