import { ExternalFailure } from '../errors/errors.ts';
import { type ProcessEnd, ProcessEnded } from '../runtime/limited/limited-process.ts';

/** The same error; of a process that has ended, what its end says of the graph that it ran. */
export const endError = (error: unknown): unknown => (error instanceof ProcessEnded ? errorOf(error.end) : error);

function errorOf(end: ProcessEnd): ExternalFailure {
  if (end.kind === 'late') {
    return new ExternalFailure('the imported model took too long, and its process was ended', {
      detail: `It worked for ${end.ms / 1000} s.`,
      hint: 'The graph may have a loop that does not end, or be too large for this machine: import another one.',
    });
  }
  if (end.kind === 'unruly') {
    return new ExternalFailure('the imported model did something else than to answer, and its process was ended', {
      detail: `${end.cause}.`,
      hint: 'The file may have been made to break ONNX Runtime: import it only if you trust its maker. Other models are not affected.',
    });
  }
  return new ExternalFailure('the process of the imported model ended', {
    detail: `${end.cause}.`,
    hint: 'The graph may take more memory than it may have (RAFIKI_IMPORT_MEMORY), or be damaged. Other models are not affected.',
  });
}
