import type { FastifyInstance, FastifyRequest } from 'fastify';
import { UndefinedObject } from '../errors/errors.ts';
import { HttpRefusal } from './error-answer.ts';

/** The paths of the server and their methods, for requests to others. */
export class KnownPaths {
  readonly #paths: { methods: readonly string[]; pattern: RegExp }[] = [];

  constructor(app: FastifyInstance) {
    app.addHook('onRoute', ({ method, url }) => {
      if (url.includes('*')) return;
      const parts = url.split('/').map((part) => (part.startsWith(':') ? '[^/]+' : escaped(part)));
      this.#paths.push({ methods: [method].flat(), pattern: new RegExp(`^${parts.join('/')}$`) });
    });
  }

  /** The error of a request that no route takes: its method, or its path. */
  refusal({ method, url }: FastifyRequest): HttpRefusal | UndefinedObject {
    const path = url.split('?')[0] ?? '';
    const allowed = this.#paths.filter(({ pattern }) => pattern.test(path)).flatMap(({ methods }) => methods);
    if (allowed.length > 0) return otherMethod(method, path, [...new Set(allowed)]);
    return new UndefinedObject(`there is no path ${method} ${path.slice(0, 200)}`, {
      hint: 'GET /openapi.json describes all paths.',
    });
  }
}

const otherMethod = (method: string, path: string, allow: string[]): HttpRefusal =>
  new HttpRefusal(
    { status: 405, sqlstate: '0A000', headers: { allow: allow.join(', ') } },
    `${path.slice(0, 200)} has no ${method}`,
    {
      hint: `Its methods are ${allow.join(', ')}.`,
    },
  );

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
