import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';

/** What a document tells to type, and what it says is printed. */
export interface Example {
  language: string;
  code: string;
  printed: string;
}

/** Of a section of the README, or of another document. */
export function examplesOf(title: string, file = 'README.md'): Example[] {
  const text = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
  const section = new RegExp(`## ${title}\\n([\\s\\S]*?)\\n## `).exec(text)?.[1] ?? '';
  const found = section.matchAll(/^( *)```(sql|sh)\n([\s\S]*?)```\n *```text\n([\s\S]*?)```/gm);
  return [...found].map(([, indent = '', language = '', code = '', printed = '']) => {
    const own = new RegExp(`^ {${indent.length}}`, 'gm'); // of the list that contains it
    return { language, code: code.replace(own, ''), printed: printed.replace(own, '') };
  });
}

/** What it prints where DATABASE_URL is `url`. What it attaches must be filled immediately, also on a slow machine. */
export async function runExample({ language, code }: Example, url: string): Promise<string> {
  const [command, args] = language === 'sql' ? ['psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', url]] : ['bash', ['-e']];
  const running = promisify(execFile)(command, args, {
    env: { ...process.env, DATABASE_URL: url, PGOPTIONS: '-c rafiki.fill_wait=1s' },
  });
  running.child.stdin?.end(code);
  return (await running).stdout.trimEnd();
}
