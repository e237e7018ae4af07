import type { FastifyInstance } from 'fastify';
import type { Measured } from '../runtime/measured.ts';

/** Upper bounds of the time that an answer takes, in seconds. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

interface ClassCounts {
  count: number;
  seconds: number;
  /** Answers up to each bound, those below included. */
  upTo: number[];
}

/** Answers by the class of their status, 2xx to 5xx, with their times. */
export class AnswerCounts {
  readonly #classes = new Map<string, ClassCounts>();

  count(app: FastifyInstance): void {
    app.addHook('onResponse', async (_, reply) => {
      const name = `${Math.trunc(reply.statusCode / 100)}xx`;
      const counts = this.#classes.get(name) ?? { count: 0, seconds: 0, upTo: BOUNDS.map(() => 0) };
      this.#classes.set(name, counts);
      const seconds = reply.elapsedTime / 1000;
      counts.count++;
      counts.seconds += seconds;
      for (const [i, bound] of BOUNDS.entries()) if (seconds <= bound) counts.upTo[i] = (counts.upTo[i] ?? 0) + 1;
    });
  }

  measured(): Measured[] {
    const classes = [...this.#classes].map(([code, counts]) => ({ labels: { code }, counts }));
    return [
      {
        name: 'rafiki_http_request_duration_seconds',
        help: 'Time of HTTP answers, by the class of their status',
        kind: 'histogram',
        values: classes.map(({ labels, counts }) => ({ labels, value: counts.seconds })),
        buckets: classes.map(({ counts }) => ({ bounds: BOUNDS, counts: [...counts.upTo], count: counts.count })),
      },
    ];
  }
}
