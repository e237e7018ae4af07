import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from '../runtime/logger.ts';

/** What scripts/build-dashboard.mjs writes. */
const built = fileURLToPath(new URL('../../dist/dashboard', import.meta.url));

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
};

/** No script or style of a page itself, and nothing of another host; images that a visitor chooses are blobs or data. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const pageHeaders = {
  'content-security-policy': policy,
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
};
/** Names of files have a hash of their content. */
const FOREVER = 'public, max-age=31536000, immutable';

/** The paths of pages: each is the same file, whose script shows the page. */
const pages = ['/studies', '/studies/:study', '/models', '/models/:model', '/serving', '/workers'];

interface StaticFile {
  type: string;
  bytes: Buffer;
  zipped: Buffer;
}

function read(file: string): StaticFile {
  const bytes = readFileSync(path.join(built, file));
  const type = types[path.extname(file)] ?? 'application/octet-stream';
  return { type, bytes, zipped: gzipSync(bytes, { level: 9 }) };
}

function send(file: StaticFile, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const isZipped = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
  void reply.headers(pageHeaders).header('vary', 'accept-encoding').type(file.type);
  if (isZipped) void reply.header('content-encoding', 'gzip');
  return reply.send(isZipped ? file.zipped : file.bytes);
}

const forClients = /^\/(?:v1|v2|assets)(?:[/?]|$)|^\/openapi\.json/;

/** Whether a browser goes to a page that is none of ours: it gets one that says so, and links to those that are. */
const isForPeople = ({ url, headers }: FastifyRequest): boolean =>
  !forClients.test(url) && /\btext\/html\b/.test(headers.accept ?? '');

/** Serves the dashboard, from memory. Its files need no role: what they show, they ask for as the role that signs in. */
export function addDashboard(app: FastifyInstance, logger: Logger): void {
  if (!existsSync(path.join(built, 'index.html'))) {
    logger.warn({ folder: built }, 'the dashboard is not built: npm run build');
    return;
  }
  const index = read('index.html');
  for (const page of ['/', ...pages, ...pages.map((each) => `${each}/`)])
    app.get(page, (request, reply) => send(index, request, reply));
  app.get('/*', (request, reply) => {
    if (isForPeople(request)) return send(index, request, reply.code(404));
    return reply.callNotFound();
  });
  for (const name of readdirSync(path.join(built, 'assets'))) {
    const file = read(`assets/${name}`);
    app.get(`/assets/${name}`, (request, reply) => send(file, request, reply.header('cache-control', FOREVER)));
  }
}
