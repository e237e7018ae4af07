import { appendFileSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { boundLog, lastLines } from '../../../src/cli/up/log-files.ts';

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'rafiki-logs-'));
  file = path.join(dir, 'rafiki.log');
});
afterEach(() => rmSync(dir, { recursive: true }));

const textOf = (name: string): string => readFileSync(name, 'utf8');

test('a log above the limit is emptied under its writer, and its end is kept beside it, for its owner only', () => {
  const writer = openSync(file, 'a', 0o600); // as children and Postgres have it, also those of a killed `up`
  boundLog(file, 10);
  writeSync(writer, 'a line\nanother\n');
  boundLog(file, 15);
  expect(textOf(file)).toBe('a line\nanother\n');
  boundLog(file, 10);
  expect([textOf(file), textOf(`${file}.1`)]).toEqual(['', 'e\nanother\n']);
  writeSync(writer, 'the next line of it\n');
  expect(textOf(file)).toBe('the next line of it\n');
  boundLog(file, 10);
  closeSync(writer);
  expect([textOf(file), textOf(`${file}.1`)]).toEqual(['', 'ine of it\n']);
  expect(statSync(`${file}.1`).mode & 0o777).toBe(0o600);
});

test('its last lines are those behind a place, which it may have been emptied since, and a wanted kind', () => {
  expect(lastLines(file, 2)).toBe('');
  appendFileSync(file, 'one\n');
  const from = statSync(file).size;
  appendFileSync(file, 'two\n\nother\nthree\nfour\n');
  const isWanted = (line: string): boolean => line !== 'other';
  expect(lastLines(file, 2)).toBe('three\nfour');
  expect(lastLines(file, 9, { from, isWanted })).toBe('two\nthree\nfour');
  expect(lastLines(file, 9, { from: 1_000 })).toContain('one\ntwo');
});
