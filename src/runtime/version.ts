import { readFileSync } from 'node:fs';

/** The version in package.json, which is two levels above this file both in the sources and in the build. */
export const version: string = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;
