import { reportError } from '../../errors/rafiki-error.ts';
import type { LatencyOptions } from '../../protocol/latency-options.ts';
import { tracedCall } from '../../tracing/traced-call.ts';
import type { TracedTerms } from './deadline.ts';

export interface TracedOptions {
  name: string;
  rows: number;
  latency: LatencyOptions;
  /** Known when the call has been answered. */
  modelName(): string | undefined;
}

/** Does the work of one call, whose span ends with it, if it is traced. */
export function traced<T>({ name, rows, latency, modelName }: TracedOptions, work: (terms: TracedTerms) => T): T {
  const trace = tracedCall({ name, traceparent: latency.traceparent, attributes: { 'rafiki.rows': rows } });
  if (trace === undefined) return work(latency);
  const ended = (): void => trace.end({ 'rafiki.model': modelName() ?? '' });
  const failed = (error: unknown): void => trace.end({}, reportError(error).sqlstate);
  try {
    const result = work({ ...latency, trace });
    if (result instanceof Promise) void result.then(ended, failed);
    else ended();
    return result;
  } catch (error) {
    failed(error);
    throw error;
  }
}
