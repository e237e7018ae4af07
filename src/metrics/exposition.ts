import { collectDefaultMetrics, type Metric, Registry } from 'prom-client';
import type { Measured, MeasuredService } from '../runtime/measured.ts';
import { version } from '../runtime/version.ts';

/** The measurements of a process in Prometheus's text format: those of its service, and those of Node.js. */
export class Exposition {
  readonly #node = new Registry();
  readonly #service: MeasuredService;
  readonly #process: string;

  /** `process`: its kind, as in `rafiki.process`. */
  constructor(process: string, service: MeasuredService) {
    this.#process = process;
    this.#service = service;
    collectDefaultMetrics({ register: this.#node });
  }

  get contentType(): string {
    return this.#node.contentType;
  }

  async text(): Promise<string> {
    const own = new Registry();
    for (const measured of [this.#build(), ...(await this.#service.measured())]) own.registerMetric(asMetric(measured));
    return `${await own.metrics()}${await this.#node.metrics()}`;
  }

  #build(): Measured {
    const labels = { process: this.#process, version, node: process.versions.node };
    return {
      name: 'rafiki_build_info',
      help: 'The kind and the version of this process; the value is always 1.',
      kind: 'gauge',
      values: [{ labels, value: 1 }],
    };
  }
}

interface WrittenValue {
  labels: Readonly<Record<string, string>>;
  value: number;
  metricName?: string;
}

/** As prom-client's registry writes metrics: it asks them for their values. Its own would count a second time what services count. */
function asMetric(measured: Measured): Metric {
  const { name, help, kind: type } = measured;
  const get = async (): Promise<object> => ({ name, help, type, values: writtenValues(measured) });
  return { name, get } as unknown as Metric;
}

function writtenValues({ name, values, buckets }: Measured): WrittenValue[] {
  if (buckets === undefined) return [...values];
  return values.flatMap(({ labels, value }, i) => {
    const { bounds = [], counts = [], count = 0 } = buckets[i] ?? {};
    const upTo = (le: string, observed: number): WrittenValue => ({
      labels: { ...labels, le },
      value: observed,
      metricName: `${name}_bucket`,
    });
    return [
      ...bounds.map((bound, k) => upTo(String(bound), counts[k] ?? 0)),
      upTo('+Inf', count),
      { labels, value, metricName: `${name}_sum` },
      { labels, value: count, metricName: `${name}_count` },
    ];
  });
}
