import type { Lead, Team } from '../../domain/joint-training.ts';
import { createLogger } from '../../runtime/logger.ts';
import type { Assignment, JoinAssignment } from '../messages.ts';
import { FolderLead, FolderTransport } from './folder.ts';
import { type LeadingChannel, type ParentChannel, ParentLead, ParentTransport } from './parent.ts';
import { TransportTeam } from './team.ts';

/** The other workers of a trial, for the process that leads it: those of this machine in its folder, the others through its parent. */
export function teamOf(
  { folder, lastRound, logLevel }: Pick<Assignment, 'folder' | 'lastRound' | 'logLevel'>,
  parent: LeadingChannel,
): Team {
  const logger = createLogger('training', logLevel);
  return new TransportTeam({
    near: new FolderTransport(folder, logger),
    far: new ParentTransport(parent),
    show: (shown) => parent.send({ kind: 'show-round', shown }),
    lastRound,
    logger,
  });
}

/** The leading worker, for a process that has joined. */
export function leadOf({ folder, processId }: JoinAssignment, parent: ParentChannel): Lead {
  if (folder === null) return new ParentLead(parent);
  const onTrained = (round: number, rowsPerSecond: number): Promise<void> =>
    parent.send({ kind: 'trained', round, rowsPerSecond });
  return new FolderLead({ folder, processId, onTrained });
}
