import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** A step of a how-to: a new file, a change of an existing one, or commands. */
export type Step =
  | { kind: 'create'; file: string; text: string }
  | { kind: 'change'; file: string; before: string; after: string }
  | { kind: 'run'; script: string };

/**
 * The code blocks of a page. The last path in code of the paragraph before names the file; `diff` has lines that are kept (after a space),
 * added (+) or removed (-); `sh` is run.
 */
export function stepsOf(page: string): Step[] {
  return [...page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(({ 1: language = '', 2: text = '', index }) => {
    if (language === 'sh') return { kind: 'run', script: text };
    const paragraph = page.slice(0, index).trimEnd().split('\n\n').at(-1) ?? '';
    const file = [...paragraph.matchAll(/`([\w./-]+\/[\w./-]+\.\w+)`/g)].at(-1)?.[1];
    if (file === undefined) throw new SyntaxError(`no paragraph names the file:\n${text}`);
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

/** Writes into the tree at `root`. Throws if a new file exists, or if the text to change does not occur exactly once. */
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
  if (times !== 1) throw new Error(`${step.file} has this ${times} times, not once:\n${step.before}`);
  writeFileSync(
    file,
    text.replace(step.before, () => step.after),
  );
}
