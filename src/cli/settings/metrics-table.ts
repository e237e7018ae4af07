import * as kind from './kinds.ts';

/** Of what operators measure: metrics, and traces. */
export const metricsTable = {
  metricsPort: {
    flag: 'metrics-port',
    variable: 'RAFIKI_METRICS_PORT',
    kind: kind.port,
    about: 'the port of /metrics and /health; for up: the first of one for each process',
    otherwise: 'no metrics',
  },
  tracesUrl: {
    variable: 'RAFIKI_TRACES_URL',
    kind: kind.httpUrl,
    about: 'where spans of predictions and HTTP requests are sent: OTLP over HTTP, http://collector:4318/v1/traces',
    otherwise: 'no tracing',
  },
  tracesShare: {
    variable: 'RAFIKI_TRACES_SHARE',
    kind: kind.share,
    about: 'the share of calls that are traced among those whose caller sends no traceparent',
    default: '0',
  },
  metricsHost: {
    variable: 'RAFIKI_METRICS_HOST',
    kind: kind.text('HOST'),
    about: 'the address of that port; any other than loopback needs the token',
    default: '127.0.0.1',
  },
  metricsToken: {
    variable: 'RAFIKI_METRICS_TOKEN',
    kind: kind.secretText('…'),
    about: 'the bearer token that reads /metrics',
  },
} as const;
