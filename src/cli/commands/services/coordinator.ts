import { createCoordinator } from '../../../coordinator/create-coordinator.ts';
import { command } from '../command.ts';
import { storageOf, storageSettings } from '../storage.ts';
import { metricsSettings, runService } from './run-service.ts';

export const coordinatorCommand = command({
  title: 'plans studies (several may run, one acts)',
  settings: ['databaseUrl', 'readerUrl', 'importMemory', ...metricsSettings, ...storageSettings],
  run: ({ settings }) =>
    runService('coordinator', settings, ({ database, logger }) =>
      createCoordinator({
        ...{ database, readerUrl: settings.readerUrl, importMemoryBytes: settings.importMemory },
        ...storageOf(settings),
        logger,
      }),
    ),
});
