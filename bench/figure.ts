/** One measured number, with the peer's from the same run if there is a peer. */
export interface Figure {
  bench: string;
  name: string;
  value: number;
  unit: string;
  peer?: string;
  /** Null when the peer is not on this machine; `note` then tells how to install it. */
  peerValue?: number | null;
  /** `value / peerValue`. */
  ratio?: number | null;
  /** The target of the ratio, or of the value if there is no peer. */
  bar?: number;
  /** Whether the target is met; null if it could not be checked. */
  ok: boolean | null;
  note?: string;
}
