import type { StreamState } from '../state/streams.ts';

const words: Readonly<Record<StreamState, string>> = {
  connecting: 'connecting',
  live: 'live',
  lost: 'connection lost, trying again',
  refused: 'not followed',
  ended: 'ended',
};

/** Whether what is shown follows the server. */
export const LiveMark = ({ state }: { state: StreamState }) => (
  <span class={`state ${state === 'live' ? 'live' : state === 'lost' ? 'bad' : ''} muted`} role="status">
    {words[state]}
  </span>
);
