import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** What a how-to tells to do, in order: a file that is new, a change of one that is there, or commands. */
export type Step =
  | { kind: 'create'; file: string; text: string }
  | { kind: 'change'; file: string; before: string; after: string }
  | { kind: 'run'; script: string };

/**
 * The code blocks of a page. Of a file the paragraph before says which, as the last path in code; `diff` has lines that are there (after a
 * space), come (+) or go (-); `sh` is run.
 */
export function stepsOf(page: string): Step[] {
  return [...page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(({ 1: language = '', 2: text = '', index }) => {
    if (language === 'sh') return { kind: 'run', script: text };
    const paragraph = page.slice(0, index).trimEnd().split('\n\n').at(-1) ?? '';
    const file = [...paragraph.matchAll(/`([\w./-]+\/[\w./-]+\.\w+)`/g)].at(-1)?.[1];
    if (file === undefined) throw new SyntaxError(`no paragraph says which file this is:\n${text}`);
    if (language !== 'diff') return { kind: 'create', file, text };
    const lines = text.trimEnd().split('\n');
    const without = (sign: string): string =>
      `${lines
        .filter((line) => !line.startsWith(sign))
        .map((line) => line.slice(1))
        .join('\n')}\n`;
    return { kind: 'change', file, before: without('+'), after: without('-') };
  });
}

/** Writes into the tree at `root`. Throws where a new file is there already, or what is to be changed does not stand there once. */
export function writeStep(root: string, step: Exclude<Step, { kind: 'run' }>): void {
  const file = path.join(root, step.file);
  if (step.kind === 'create') {
    if (existsSync(file)) throw new Error(`${step.file} is not new`);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, step.text);
    return;
  }
  const text = readFileSync(file, 'utf8');
  const times = text.split(`\n${step.before}`).length - 1 + (text.startsWith(step.before) ? 1 : 0);
  if (times !== 1) throw new Error(`in ${step.file} this stands ${times} times, not once:\n${step.before}`);
  writeFileSync(
    file,
    text.replace(step.before, () => step.after),
  );
}
