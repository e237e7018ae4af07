import { ExternalFailure } from '../errors/errors.ts';
import { RafikiError } from '../errors/rafiki-error.ts';

/** What ONNX Runtime, C++ and V8 say when the limit of memory is reached. */
const outOfMemory =
  /bad_alloc|failed to allocate memory|allocate (a )?buffer|array buffer allocation failed|cannot allocate memory|out of memory/i;

/** An error of a process with a limit of memory, in words of its user if that limit is the cause; otherwise the same error. */
export function memoryError(error: unknown): unknown {
  const text =
    error instanceof RafikiError
      ? `${error.message} ${error.detail ?? ''}`
      : error instanceof Error
        ? error.message
        : String(error);
  return outOfMemory.test(text) ? tooMuchMemory(text.slice(0, 300), error) : error;
}

const tooMuchMemory = (detail: string, cause?: unknown): ExternalFailure =>
  new ExternalFailure('the imported model takes more memory than it may have', {
    detail,
    hint: 'Import a smaller model, or one that is quantised. RAFIKI_IMPORT_MEMORY of the processes is the limit.',
    cause,
  });
