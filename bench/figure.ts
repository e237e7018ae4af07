/** One measured number, beside its peer's from the same run where there is a peer. */
export interface Figure {
  bench: string;
  name: string;
  value: number;
  unit: string;
  peer?: string;
  /** Null when the peer is not on this machine; `note` then says how to get it. */
  peerValue?: number | null;
  /** `value / peerValue`. */
  ratio?: number | null;
  /** What the ratio, or the value where there is no peer, must keep. */
  bar?: number;
  /** Null when it could not be judged. */
  ok: boolean | null;
  note?: string;
}
