import type { Logger } from '../runtime/logger.ts';
import type { Service } from '../runtime/service.ts';
import { version } from '../runtime/version.ts';
import { useTracer } from './traced-call.ts';

export interface SpanExporterOptions {
  /** The kind of process, as in `rafiki.process`. */
  process: string;
  /** Where spans are sent as OTLP over HTTP, such as http://collector:4318/v1/traces. */
  url: string;
  /** Of calls without a traceparent: the share that is traced, from 0 to 1. */
  share: number;
  logger: Logger;
}

/** Spans that wait to be sent; more are dropped. */
const MAX_WAITING = 4096;
const STOP_MS = 3_000;

/** Sends spans to a collector of OpenTelemetry. Its library is loaded only where tracing is on. */
export function createSpanExporter({ process, url, share, logger }: SpanExporterOptions): Service {
  let shutdown: (() => Promise<void>) | undefined;
  return {
    async start() {
      const [{ diag, DiagLogLevel }, sdk, { OTLPTraceExporter }, { resourceFromAttributes }] = await Promise.all([
        import('@opentelemetry/api'),
        import('@opentelemetry/sdk-trace-base'),
        import('@opentelemetry/exporter-trace-otlp-http'),
        import('@opentelemetry/resources'),
      ]);
      const warn = (message: string): void => logger.warn({ err: message.slice(0, 500) }, 'spans were not sent');
      const nothing = (): void => undefined;
      diag.setLogger(
        { error: warn, warn, info: nothing, debug: nothing, verbose: nothing },
        { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
      );
      const provider = new sdk.BasicTracerProvider({
        resource: resourceFromAttributes({
          'service.name': `rafiki ${process}`,
          'service.namespace': 'rafiki',
          'service.version': version,
        }),
        sampler: new sdk.ParentBasedSampler({ root: new sdk.TraceIdRatioBasedSampler(share) }),
        spanProcessors: [new sdk.BatchSpanProcessor(new OTLPTraceExporter({ url }), { maxQueueSize: MAX_WAITING })],
      });
      shutdown = () => provider.shutdown();
      useTracer({ spans: provider.getTracer('rafiki', version), tracesAll: share > 0 });
    },
    /** A collector that does not answer keeps no process. */
    async stop() {
      useTracer(undefined);
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, STOP_MS);
      });
      await Promise.race([shutdown?.().catch(() => undefined), late]);
      clearTimeout(timer);
    },
  };
}
