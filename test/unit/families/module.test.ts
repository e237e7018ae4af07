import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HyperSpace } from '../../../src/domain/hyper-space.ts';
import { checkedFamilies } from '../../../src/families/module-families.ts';
import { loadFamilies } from '../../../src/families/sources.ts';
import { stepsOf } from '../../support/how-to.ts';

const root = path.resolve(import.meta.dirname, '../../..');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'rafiki-module-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('the example of the documents is found and trained, from a folder without the package', async () => {
  const page = readFileSync(path.join(root, 'docs/howto/own-family.md'), 'utf8');
  const example = stepsOf(page).find((step) => step.kind === 'create' && step.file.endsWith('.ts'));
  if (example?.kind !== 'create') throw new Error('the page has no module');
  const file = path.join(folder, 'averaging.mjs');
  const { outputText } = ts.transpileModule(example.text, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 },
  });
  writeFileSync(file, outputText);
  const script = path.join(root, 'test/support/families/train-module.ts');
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script, file], { cwd: root });
  expect(JSON.parse(stdout)).toEqual({ family: 'own_averaging', score: 1 });
});

describe('a module', () => {
  const space = (): HyperSpace => new HyperSpace();
  const learner = (): never => {
    throw new RangeError('not called');
  };
  const whole = { name: 'mine', title: 'my own', input: 'text', outputs: ['label'], space, learner };

  test('exports families alone or in lists', () => {
    const other = { ...whole, name: 'other' };
    expect(checkedFamilies('m.js', { default: whole, all: [whole, other], version: 3 })).toEqual([whole, other]);
  });

  test.each([
    [{}, 'exports no family'],
    [{ default: 3 }, 'exports no family'],
    [{ f: { ...whole, name: 'My Family' } }, 'its name has other characters'],
    [{ f: { ...whole, title: '' } }, 'it has no title'],
    [{ f: { ...whole, learner: undefined } }, 'it has neither a learner nor'],
    [{ f: { ...whole, input: 'sound' } }, 'it has no task'],
    [{ f: { ...whole, space: () => ({}) } }, 'the knobs of family "mine"'],
    [
      {
        f: {
          ...whole,
          space: () =>
            space().addRangeKnob('a', 'int', 1, 2, { group: 'training', initial: 1, postHook: (_, value) => value }),
        },
      },
      'knob "a" of family "mine" has a hook',
    ],
  ])('%o is refused', (module, message) => {
    expect(() => checkedFamilies('m.js', module)).toThrow(message);
  });

  test('that cannot be loaded says why', async () => {
    const file = path.join(folder, 'broken.mjs');
    writeFileSync(file, 'import "no-such-package";');
    await expect(loadFamilies([{ kind: 'module', file }])).rejects.toMatchObject({
      sqlstate: '38000',
      message: `${file} cannot be imported`,
      detail: expect.stringContaining('no-such-package'),
    });
  });
});
