import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { type Mutation, mutationsOf } from './operators.ts';

export interface Mutant extends Mutation {
  /** Derived from the line and the change: independent of other lines. */
  key: string;
  /** From the root of the repository. */
  file: string;
  room: string;
  line: number;
  /** The original text. */
  was: string;
}

/** All mutants of these folders of `src`. */
export function mutantsOf(root: string, rooms: readonly string[]): Mutant[] {
  return rooms.flatMap((room) =>
    readdirSync(path.join(root, 'src', room), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .sort()
      .flatMap((name) => mutantsIn(root, room, path.join('src', room, name))),
  );
}

function mutantsIn(root: string, room: string, file: string): Mutant[] {
  const text = readFileSync(path.join(root, file), 'utf8');
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ESNext, true);
  const lines = text.split('\n');
  const seen = new Map<string, number>();
  return mutationsOf(source).map((mutation) => {
    const { line } = source.getLineAndCharacterOfPosition(mutation.start);
    const was = text.slice(mutation.start, mutation.end);
    const what = [file, mutation.kind, lines[line]?.trim(), was, mutation.text].join('\n');
    const nth = seen.get(what) ?? 0;
    seen.set(what, nth + 1);
    return { ...mutation, key: digest(`${what}\n${nth}`), file, room, line: line + 1, was };
  });
}

/** A random sample, the same for the same seed. */
export function sample(mutants: readonly Mutant[], count: number, seed: number): Mutant[] {
  const place = new Map(mutants.map(({ key }) => [key, digest(`${seed} ${key}`)]));
  return mutants.toSorted((a, b) => (place.get(a.key)! < place.get(b.key)! ? -1 : 1)).slice(0, count);
}

export const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);
