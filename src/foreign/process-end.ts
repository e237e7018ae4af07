import { ExternalFailure } from '../errors/errors.ts';
import type { ProcessEnd } from '../runtime/limited/limited-process.ts';

export const isEnd = (error: unknown): error is ProcessEnd =>
  typeof error === 'object' && error !== null && 'kind' in error && !(error instanceof Error);

/** What a process's end says of the graph that it ran. */
export function endError(end: ProcessEnd): ExternalFailure {
  if (end.kind === 'late') {
    return new ExternalFailure('the imported model took too long, and its process was ended', {
      detail: `It worked for ${end.ms / 1000} s.`,
      hint: 'The graph may have a loop that does not end, or be too large for this machine: import another one.',
    });
  }
  return new ExternalFailure('the process of the imported model ended', {
    detail: `${end.cause}.`,
    hint: 'The graph may take more memory than it may have (RAFIKI_IMPORT_MEMORY), or be damaged. Other models are not affected.',
  });
}
