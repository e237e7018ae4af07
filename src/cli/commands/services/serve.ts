import { createBridge } from '../../../bridge/create-bridge.ts';
import { BRIDGE_PORT } from '../../up/free-port.ts';
import { command } from '../command.ts';
import { compute } from '../compute.ts';
import { storageOf, storageSettings } from '../storage.ts';
import { metricsSettings, runService, traceSettings } from './run-service.ts';

export const serveCommand = command({
  title: 'answers predictions',
  settings: [
    'databaseUrl',
    'bridgeHost',
    'bridgePort',
    'bridgeSessions',
    'bridgeSocketDir',
    'policy',
    'modelMemory',
    'importMemory',
    'syntheticDevice',
    'device',
    ...metricsSettings,
    ...traceSettings,
    ...storageSettings,
  ],
  async run({ settings }) {
    await compute(settings);
    const { bridgeHost: host, bridgePort: port = BRIDGE_PORT, bridgeSocketDir: socketDir } = settings;
    const {
      policy,
      modelMemory: modelMemoryBytes,
      importMemory: importMemoryBytes,
      bridgeSessions: maxSessions,
      syntheticDevice: synthetic,
    } = settings;
    const own = {
      host,
      port,
      socketDir,
      maxSessions,
      policy,
      modelMemoryBytes,
      importMemoryBytes,
      synthetic,
      ...storageOf(settings),
    };
    await runService('serving', settings, (common) => createBridge({ ...common, ...own }));
  },
});
