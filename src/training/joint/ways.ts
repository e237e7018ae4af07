import type { Lead } from '../../domain/joint-training.ts';
import { familyByName, isNetwork } from '../../models/registry.ts';
import { createLogger } from '../../runtime/logger.ts';
import type { Assignment, JoinAssignment } from '../messages.ts';
import { FolderLead, FolderTransport } from './folder.ts';
import { type LeadingChannel, type ParentChannel, ParentLead, ParentTransport } from './parent.ts';
import { type Pause, pauseBetweenRounds, pauseBetweenSums } from './pause.ts';
import { TransportTeam } from './team.ts';

/** The other workers of a trial, for the process that leads it: those of this machine in its folder, the others through its parent. */
export function teamOf(
  { family, folder, lastRound, logLevel }: Pick<Assignment, 'family' | 'folder' | 'lastRound' | 'logLevel'>,
  parent: LeadingChannel,
): TransportTeam {
  const logger = createLogger('training', logLevel);
  return new TransportTeam({
    near: new FolderTransport(folder, logger, pauseOf(family)),
    far: new ParentTransport(parent),
    show: (shown) => parent.send({ kind: 'show-round', shown }),
    lastRound,
    logger,
  });
}

/** The leading worker, for a process that has joined. */
export function leadOf({ family, folder, processId }: JoinAssignment, parent: ParentChannel): Lead {
  if (folder === null) return new ParentLead(parent);
  const onTrained = (round: number, rowsPerSecond: number): Promise<void> =>
    parent.send({ kind: 'trained', round, rowsPerSecond });
  return new FolderLead({ folder, processId, onTrained, pause: pauseOf(family) });
}

const pauseOf = (family: string): Pause => (isNetwork(familyByName(family)) ? pauseBetweenRounds : pauseBetweenSums);
