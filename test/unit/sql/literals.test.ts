import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

/** A literal that is not marked as one with escapes, and has a backslash: it means another text where standard_conforming_strings is off. */
function ambiguousLiterals(sql: string): string[] {
  const found: string[] = [];
  const code = sql.replaceAll(/--.*$/gm, '');
  let end = 0;
  let escapes = false;
  for (const match of code.matchAll(/(\be)?('(?:[^']|'')*')/gi)) {
    const [whole, mark, literal = ''] = match;
    const continues = /^\s*\n\s*$/.test(code.slice(end, match.index));
    escapes = mark !== undefined || (continues && escapes);
    if (!escapes && literal.includes('\\')) found.push(literal);
    end = match.index + whole.length;
  }
  return found;
}

test('a literal that is ambiguous is found', () => {
  expect(ambiguousLiterals(`select 'a\\_', e'b\\n', 'c' -- 'd\\_'`)).toEqual([`'a\\_'`]);
  expect(ambiguousLiterals(`select e'a'\n  'b\\n', 'it''s'`)).toEqual([]);
});

test('nothing that can be replaced depends on standard_conforming_strings', () => {
  const dir = path.resolve(import.meta.dirname, '../../../sql');
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.sql'));
  expect(files.length).toBeGreaterThan(30);
  const ambiguous = files.flatMap((file) =>
    ambiguousLiterals(readFileSync(path.join(dir, file), 'utf8')).map((literal) => `${file}: ${literal}`),
  );
  expect(ambiguous).toEqual([]);
});
