import type { FastifyInstance } from 'fastify';
import { Histogram } from '../runtime/histogram.ts';
import type { Measured } from '../runtime/measured.ts';

/** Upper bounds of the time that an answer takes, in seconds. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Answers by the class of their status, 2xx to 5xx, with their times. */
export class AnswerCounts {
  readonly #classes = new Map<string, Histogram>();

  count(app: FastifyInstance): void {
    app.addHook('onResponse', (_, reply, done) => {
      const name = `${Math.trunc(reply.statusCode / 100)}xx`;
      const times = this.#classes.get(name) ?? new Histogram(BOUNDS);
      this.#classes.set(name, times);
      times.add(reply.elapsedTime / 1000);
      done();
    });
  }

  measured(): Measured[] {
    const classes = [...this.#classes];
    return [
      {
        name: 'rafiki_http_request_duration_seconds',
        help: 'Time of HTTP answers, by the class of their status',
        kind: 'histogram',
        values: classes.map(([code, times]) => ({ labels: { code }, value: times.sum })),
        buckets: classes.map(([, times]) => times.buckets()),
      },
    ];
  }
}
