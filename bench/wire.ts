import { setTimeout as sleep } from 'node:timers/promises';
import { InvalidParameter } from '../src/errors/errors.ts';
import { bare, known, knownSocket, play, side } from '../test/support/wire-client.ts';
import { KNOWN_FRAMES, STRANGE_FRAMES, scriptsOf } from '../test/support/wire-frames.ts';
import type { Figure } from './figure.ts';
import { startWireStage, type WireStage } from './wire/stage.ts';

export interface WireOptions {
  quick: boolean;
  seed?: string | undefined;
}

const FRAMES = 100_000;
const SILENT = 5000;
const CALLS = 40_000;
const ROUNDS = 4;
const DRIPPING_PROCESSES = 2;
const DRIPPING = 800;
const LOGINS = 1000;
const AT_ONCE = 16;
const MB = 2 ** 20;
/** Until all of them are open. */
const SETTLE_MS = 3000;

/** The wire under attack: any frames before and after login, and silent connections during the calls of a session. */
export async function* wireBench({ quick, seed: seedText = '1' }: WireOptions): AsyncIterable<Figure> {
  const seed = Number(seedText);
  if (!Number.isInteger(seed))
    throw new InvalidParameter('--seed is not an integer', { hint: 'For example --seed 7.' });
  const part = quick ? 10 : 1;
  const stage = await startWireStage();
  try {
    yield* fuzz(stage, FRAMES / part, seed);
    yield await silence(stage, SILENT / part, CALLS / part);
    yield await dripping(stage, LOGINS / part);
  } finally {
    await stage.stop();
  }
}

async function* fuzz(stage: WireStage, frames: number, seed: number): AsyncIterable<Figure> {
  await send(stage, frames / 2, seed + 1); // the runtime has allocated its own memory after that
  const before = await stage.health();
  await send(stage, frames, seed);
  const after = await stage.health();
  const harm = after.unhandled + (stage.isAlive() ? 0 : 1);
  yield {
    bench: 'wire',
    name: 'wire-fuzz-harm',
    value: harm,
    unit: 'failures',
    bar: 0,
    ok: harm === 0,
    note: `${frames} frames`,
  };
  const ratio = after.heldBytes / before.heldBytes;
  yield {
    bench: 'wire',
    name: 'wire-fuzz-memory',
    value: after.heldBytes / MB,
    unit: 'MB',
    peer: 'before',
    peerValue: before.heldBytes / MB,
    ratio,
    bar: 1.05,
    ok: ratio <= 1.05,
    note: `resident ${(before.rssBytes / MB).toFixed(0)} and ${(after.rssBytes / MB).toFixed(0)} MB`,
  };
}

async function send({ address }: WireStage, frames: number, seed: number): Promise<void> {
  const part = STRANGE_FRAMES * KNOWN_FRAMES * 32;
  for (let sent = 0; sent < frames; sent += part) {
    const scripts = scriptsOf(Math.min(part, frames - sent), seed + sent);
    await side(scripts.strange, AT_ONCE, async (pieces) => play(await bare(address), pieces));
    await side(scripts.known, AT_ONCE, async (pieces) => play(await knownSocket(address), pieces));
  }
}

/** Rounds with and without the attack alternate, because the speed of the machine varies. */
async function silence(stage: WireStage, count: number, calls: number): Promise<Figure> {
  await timesOf(stage, calls / ROUNDS);
  const quiet: number[] = [];
  const attacked: number[] = [];
  let opened = 0;
  for (let round = 0; round < ROUNDS; round++) {
    quiet.push(...(await timesOf(stage, calls / ROUNDS)));
    const end = await stage.silent(count);
    attacked.push(...(await timesOf(stage, calls / ROUNDS)));
    opened += await end();
  }
  const [quietMs, attackedMs] = [p99(quiet), p99(attacked)];
  const ratio = attackedMs / quietMs;
  return {
    bench: 'wire',
    name: 'wire-silent-p99',
    value: attackedMs,
    unit: 'ms',
    peer: 'quiet',
    peerValue: quietMs,
    ratio,
    bar: 2,
    ok: ratio <= 2,
    note: `${count} silent connections, 2,000 a second; ${opened} in ${ROUNDS} rounds`,
  };
}

/** Logins during connections that send a long packet byte by byte: none of them is refused. */
async function dripping(stage: WireStage, logins: number): Promise<Figure> {
  const ends = await Promise.all(Array.from({ length: DRIPPING_PROCESSES }, () => stage.silent(DRIPPING, 'dripping')));
  await sleep(SETTLE_MS);
  let refused = 0;
  for (let i = 0; i < logins; i++) {
    try {
      await (await known(stage.address)).end();
    } catch {
      refused++;
    }
  }
  const opened = await Promise.all(ends.map((end) => end()));
  return {
    bench: 'wire',
    name: 'wire-dripping-refused',
    value: refused,
    unit: 'logins',
    bar: 0,
    ok: refused === 0,
    note: `${logins} logins during ${DRIPPING_PROCESSES} × ${DRIPPING} dripping connections; ${opened.reduce((a, b) => a + b, 0)} opened`,
  };
}

/** Milliseconds of the calls of one session, one after the other, each with a new text. */
async function timesOf({ address }: WireStage, calls: number): Promise<number[]> {
  const session = await known(address);
  const times: number[] = [];
  for (let i = 0; i < calls; i++) {
    const startedMs = performance.now();
    await session.query(`P\x1fkey\x1falice\x1f\x1f\x1f\x1fyes ${i} ${startedMs}`);
    times.push(performance.now() - startedMs);
  }
  await session.end();
  return times;
}

const p99 = (times: readonly number[]): number =>
  [...times].sort((a, b) => a - b)[Math.floor(0.99 * times.length)] as number;
