import type { Station } from './policy.ts';

/** When each server of each station is free, in a look-ahead. */
export class ServerTimes {
  readonly #freeMs: Float64Array;
  /** The servers of station s start at `#first[s]`. */
  readonly #first: number[] = [0];

  constructor(stations: readonly Station[]) {
    let servers = 0;
    for (const station of stations) {
      servers += station.servers;
      this.#first.push(servers);
    }
    this.#freeMs = new Float64Array(servers);
  }

  reset(freeMs: readonly (readonly number[])[]): void {
    let server = 0;
    for (const servers of freeMs) for (const ms of servers) this.#freeMs[server++] = ms;
  }

  /** When a server of the station is free. */
  freeMs(station: number): number {
    return this.#freeMs[this.#next(station)]!;
  }

  /** When the next server that is busy at `nowMs` becomes free. */
  nextFreeMs(nowMs: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const ms of this.#freeMs) if (ms > nowMs && ms < next) next = ms;
    return next;
  }

  isAnyFree(nowMs: number): boolean {
    for (const ms of this.#freeMs) if (ms <= nowMs) return true;
    return false;
  }

  /** A server of the station works for `ms`, from `nowMs` or from when it is free. */
  occupy(station: number, nowMs: number, ms: number): void {
    const server = this.#next(station);
    this.#freeMs[server] = Math.max(nowMs, this.#freeMs[server]!) + ms;
  }

  /** The work of a station beyond `ms` that has already started, ms. */
  committedMs(station: number, ms: number): number {
    let sum = 0;
    for (let i = this.#first[station]!; i < this.#first[station + 1]!; i++) sum += Math.max(0, this.#freeMs[i]! - ms);
    return sum;
  }

  /** The server of a station that is free first. */
  #next(station: number): number {
    let best = this.#first[station]!;
    for (let i = best + 1; i < this.#first[station + 1]!; i++) if (this.#freeMs[i]! < this.#freeMs[best]!) best = i;
    return best;
  }
}
