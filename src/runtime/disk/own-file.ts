import path from 'node:path';

/** A file of this package, named without its extension, as seen from the one at `from`: a source from a source, else of the build. */
export const ownFile = (from: string, name: string): URL => new URL(name + path.extname(from), from);

/** Whether a file is a source, which needs tsx to run. */
export const isSource = (file: URL): boolean => file.pathname.endsWith('.ts');
