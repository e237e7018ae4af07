import { register } from 'node:module';
import { pathToFileURL } from 'node:url';
import { FamilyFailed } from '../errors/errors.ts';
import { ownFile } from '../runtime/disk/own-file.ts';

/** `rafiki/families`, for modules outside of a folder where the package is installed: then it is this very one. */
const parts = ownFile(import.meta.url, '../own-family').href;

/** Runs in a thread of Node's: what it cannot find otherwise is found here. */
const resolver = `
export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context);
  } catch (error) {
    if (specifier !== 'rafiki/families') throw error;
    return next(${JSON.stringify(parts)}, context);
  }
}`;

let isRegistered = false;

/** Imports a module of the operator of this process. Throws {@link FamilyFailed}. */
export async function importModule(file: string): Promise<Record<string, unknown>> {
  if (!isRegistered) register(`data:text/javascript,${encodeURIComponent(resolver)}`, import.meta.url);
  isRegistered = true;
  try {
    return await import(pathToFileURL(file).href);
  } catch (cause) {
    throw new FamilyFailed(`${file} cannot be imported`, {
      detail: cause instanceof Error ? cause.message : String(cause),
      hint: 'It is a JavaScript module (.mjs, or .js in a folder whose package.json has "type": "module").',
      cause,
    });
  }
}
