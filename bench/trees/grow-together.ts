import { rmSync } from 'node:fs';
import type { Transport } from '../../src/domain/joint-training.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { FolderLead, FolderTransport } from '../../src/training/joint/folder.ts';
import { pauseBetweenSums } from '../../src/training/joint/pause.ts';
import { TransportTeam } from '../../src/training/joint/team.ts';
import { Booster } from '../../src/trees/booster.ts';
import { featureBins } from '../../src/trees/feature-bins.ts';
import type { Forest } from '../../src/trees/forest.ts';
import { followForest } from '../../src/trees/joint/follow.ts';
import { LeadingForest } from '../../src/trees/joint/lead.ts';
import { Workspace } from '../../src/trees/kernels/workspace.ts';
import { createObjective, type ForestRows } from '../../src/trees/objective.ts';
import type { BoostingSettings } from '../../src/trees/settings.ts';
import type { TeamSeat } from './fit.ts';

/** Rounds of an epoch; it does not matter here. */
const EPOCH = 10;

const nobody: Transport = { waiting: async () => [], offer: async () => undefined, collect: async () => [] };

interface TogetherOptions {
  settings: BoostingSettings;
  rounds: number;
  maxBins: number;
  threads: number;
  seat: TeamSeat;
}

/** Grows a forest as a training process does that has others through a folder, or as one of these, whose forest is not used. */
export async function growTogether({ columns, targets }: ForestRows, options: TogetherOptions): Promise<Forest> {
  const { settings, rounds, maxBins, threads, seat } = options;
  const { folder, processId } = seat;
  const features = columns.map((column) => featureBins(column, maxBins));
  const work = new Workspace(features, columns, { slots: settings.maxLeaves, threads });
  const objective = createObjective(settings, targets);
  const booster = new Booster({ settings, objective, work, targets });
  const all = { booster, rows: targets.values.length };
  try {
    if (processId !== null) {
      const onTrained = async (): Promise<void> => undefined;
      await followForest({ ...all, lead: new FolderLead({ folder, processId, onTrained, pause: pauseBetweenSums }) });
    } else {
      const near = new FolderTransport(folder, silentLogger, pauseBetweenSums);
      const show = async (): Promise<void> => undefined;
      const team = new TransportTeam({ near, far: nobody, show, lastRound: 0, logger: silentLogger });
      const leading = new LeadingForest({ ...all, team, basis: 'rows', ...objective });
      for (let round = 0; round < rounds; round++)
        await leading.grow({
          epoch: Math.floor(round / EPOCH),
          epochs: Math.ceil(rounds / EPOCH),
          step: round % EPOCH,
        });
      rmSync(folder, { recursive: true });
    }
    return booster.forest;
  } finally {
    work.stop();
  }
}
