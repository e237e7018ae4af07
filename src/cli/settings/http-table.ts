import { HTTP_PORT } from '../up/free-port.ts';
import * as kind from './kinds.ts';

/** Of the HTTP server. */
export const httpTable = {
  httpHost: {
    flag: 'http-host',
    variable: 'RAFIKI_HTTP_HOST',
    kind: kind.text('HOST'),
    about: 'the address that the HTTP server listens on; others than loopback need TLS, its own or that of a proxy',
    default: '127.0.0.1',
  },
  httpPort: {
    flag: 'http-port',
    variable: 'RAFIKI_HTTP_PORT',
    kind: kind.port,
    about: 'the port that the HTTP server listens on',
    otherwise: `${HTTP_PORT}; for up: or any free port`,
  },
  noHttp: { flag: 'no-http', kind: kind.aSwitch, about: 'up without the HTTP server' },
  httpTlsCert: {
    variable: 'RAFIKI_HTTP_TLS_CERT',
    kind: kind.filePath('FILE'),
    about: "the HTTP server's certificate chain, as PEM",
  },
  httpTlsKey: {
    variable: 'RAFIKI_HTTP_TLS_KEY',
    kind: kind.filePath('FILE'),
    about: "that certificate's key, as PEM",
  },
  httpOrigin: {
    variable: 'RAFIKI_HTTP_ORIGIN',
    kind: kind.origin,
    about: 'the origin at which browsers find the HTTP server behind a proxy; with https its cookies are Secure',
  },
  httpProxies: {
    variable: 'RAFIKI_HTTP_PROXIES',
    kind: kind.addresses,
    about:
      'addresses or networks of proxies in front of the HTTP server, whose X-Forwarded-For is believed: who fails to sign in keeps out only himself',
    otherwise: 'none',
  },
  httpAccessLog: {
    variable: 'RAFIKI_HTTP_ACCESS_LOG',
    kind: kind.oneOf('on or off', ['on', 'off']),
    about: 'whether the HTTP server logs each request: address, role, method, path, status and milliseconds',
    default: 'off',
  },
  httpCors: {
    variable: 'RAFIKI_HTTP_CORS',
    kind: kind.origins,
    about: 'origins whose web pages may use the HTTP server, separated by commas',
    otherwise: 'none',
  },
} as const;
