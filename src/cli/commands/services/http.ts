import { createHttp } from '../../../http/create-http.ts';
import { HTTP_PORT } from '../../up/free-port.ts';
import { command } from '../command.ts';
import { metricsSettings, runService, traceSettings } from './run-service.ts';

export const httpCommand = command({
  title: 'answers HTTP: REST, and the Open Inference Protocol',
  settings: [
    'databaseUrl',
    'readerUrl',
    'httpHost',
    'httpPort',
    'httpTlsCert',
    'httpTlsKey',
    'httpOrigin',
    'httpProxies',
    'httpAccessLog',
    'httpCors',
    ...metricsSettings,
    ...traceSettings,
  ],
  run({ settings }) {
    const { httpHost: host, httpPort: port = HTTP_PORT, httpTlsCert: tlsCert, httpTlsKey: tlsKey } = settings;
    const { httpCors: corsOrigins, httpOrigin: origin, httpProxies: proxies } = settings;
    const { readerUrl, httpAccessLog } = settings;
    const logsRequests = httpAccessLog === 'on';
    const own = { readerUrl, host, port, tlsCert, tlsKey, origin, proxies, corsOrigins, logsRequests };
    return runService('http', settings, (common) => createHttp({ ...common, ...own }));
  },
});
