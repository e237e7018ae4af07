import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { eventually, type RunningRafiki, rafikiUp } from '../../test/support/rafiki-up.ts';
import { kill } from '../load/kills.ts';
import { type SingleFault, underLoad } from './fault.ts';

/** The processes that the killed one started end by themselves, and occupy the ports until then. */
const ORPHANS_MS = 60_000;
const ports = { postgres: 56_405, bridge: 56_406 };

export const upKilled: SingleFault = {
  name: 'up-killed',
  checks: 'rafiki up itself killed, and started again on its folder',
  async run() {
    const dataDir = mkdtempSync(path.join(tmpdir(), 'rafiki-up-killed-'));
    let again: RunningRafiki | undefined;
    try {
      return await underLoad({ dataDir, ports }, async (stage) => {
        kill(stage.rafiki.process.pid ?? 0);
        const args = ['--port', String(ports.postgres), '--bridge-port', String(ports.bridge), '--workers', '2'];
        again = await eventually(() => rafikiUp({ dataDir, args }), ORPHANS_MS);
        return undefined;
      });
    } finally {
      await again?.stop();
      rmSync(dataDir, { recursive: true, force: true });
    }
  },
};
