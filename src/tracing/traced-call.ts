import {
  type Attributes,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';

/** What makes spans in this process; undefined while tracing is off. */
let tracer: { spans: Tracer; tracesAll: boolean } | undefined;

/** Turns tracing on, or off again. `tracesAll`: whether also calls are looked at that come without a traceparent. */
export function useTracer(used: typeof tracer): void {
  tracer = used;
}

/** To be asked first where calls are quick. */
export const isTracing = (): boolean => tracer !== undefined;

export interface CallDescription {
  name: string;
  /** Of the caller, as in W3C Trace Context. */
  traceparent: string | undefined;
  attributes?: Attributes;
}

/** Times are those of the monotonic clock, ms. */
export interface CallPart {
  name: string;
  startMs: number;
  endMs: number;
  attributes: Attributes;
}

/** One call as a span of OpenTelemetry, and its parts as spans below it. */
export class TracedCall {
  readonly #span: Span;
  readonly #spans: Tracer;

  constructor(span: Span, spans: Tracer) {
    this.#span = span;
    this.#spans = spans;
  }

  /** What the next process is told. */
  get traceparent(): string {
    const { traceId, spanId, traceFlags } = this.#span.spanContext();
    return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
  }

  part({ name, startMs, endMs, attributes }: CallPart): void {
    const context = trace.setSpan(ROOT_CONTEXT, this.#span);
    this.#spans.startSpan(name, { attributes, startTime: startMs }, context).end(endMs);
  }

  /** `fault`: the code of an error. Its message is not sent: it may quote an input. */
  end(attributes: Attributes, fault?: string): void {
    this.#span.setAttributes(attributes);
    if (fault !== undefined) {
      this.#span.setAttribute('error.type', fault);
      this.#span.setStatus({ code: SpanStatusCode.ERROR });
    }
    this.#span.end();
  }
}

/** Undefined if the call is not traced: tracing is off, or its caller does not want it. */
export function tracedCall({ name, traceparent, attributes = {} }: CallDescription): TracedCall | undefined {
  if (tracer === undefined || (traceparent === undefined && !tracer.tracesAll)) return undefined;
  const parent = traceparent === undefined ? undefined : parentOf(traceparent);
  const context = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
  const span = tracer.spans.startSpan(name, { kind: SpanKind.SERVER, attributes }, context);
  return span.isRecording() ? new TracedCall(span, tracer.spans) : undefined;
}

function parentOf(traceparent: string): SpanContext | undefined {
  const [, traceId = '', spanId = '', flags = '0'] = traceparent.split('-');
  const context = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED, isRemote: true };
  return isSpanContextValid(context) ? context : undefined;
}
