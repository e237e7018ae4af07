import { createRng } from '../../src/runtime/rng.ts';
import { killMany } from '../load/kills.ts';
import { type SingleFault, underLoad } from './fault.ts';

/** Longest pause between two kills: less than a restart takes, so that kills meet recoveries. */
const PAUSE_MS = 4_000;

export const killsFault = (kills: number): SingleFault => ({
  name: 'kills',
  checks: `${kills} random kills: no trial lost or doubled, no wrong answer, every session continues`,
  async run() {
    let victims = '';
    const { broken, note } = await underLoad({}, async (stage) => {
      const killed = await killMany(stage, { kills, pauseMs: PAUSE_MS, rng: createRng(kills) });
      victims = [...killed].map(([kind, n]) => `${kind} ${n}`).join(', ');
      return undefined;
    });
    return { broken, note: `${note}; killed: ${victims}` };
  },
});
