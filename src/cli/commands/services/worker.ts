import { availableParallelism } from 'node:os';
import { createWorker } from '../../../worker/create-worker.ts';
import { command } from '../command.ts';
import { compute } from '../compute.ts';
import { familySettings, familySources } from '../family-sources.ts';
import { storageOf, storageSettings } from '../storage.ts';
import { metricsSettings, runService } from './run-service.ts';

export const workerCommand = command({
  title: 'trains trials',
  settings: [
    ...(['databaseUrl', 'readerUrl', 'threads', 'dataLimit', 'device', 'engine'] as const),
    ...familySettings,
    ...metricsSettings,
    ...storageSettings,
  ],
  async run({ settings }) {
    await compute(settings);
    const { threads = 'shared', readerUrl, dataLimit: dataLimitBytes } = settings;
    const sources = await familySources(settings);
    const own = { cores: availableParallelism(), readerUrl, dataLimitBytes, sources, ...storageOf(settings) };
    await runService('worker', settings, (common) => createWorker({ ...common, ...own, threads }));
  },
});
