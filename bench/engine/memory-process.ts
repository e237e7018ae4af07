import { jobs, OwnJob } from './jobs.ts';

/** Trains the network named on the command line, and sends its parent the peak memory of this process, in MB. */
const job = jobs.find(({ name }) => name === process.argv[2]);
if (job === undefined) throw new RangeError(`no such network: ${process.argv[2]}`);
const own = await OwnJob.start(job);
await own.msPerStep();
await own.stop();
process.send?.(Math.round(process.resourceUsage().maxRSS / 1024));
