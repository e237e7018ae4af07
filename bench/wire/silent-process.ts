import { connect } from 'node:net';

// Keeps so many connections open that say nothing: one that is closed is opened anew. Started by bench/wire/stage.ts.
const [host = '', port = '', count = ''] = process.argv.slice(2);
/** A closed one comes back after so long, as one would that is left alone. */
const AGAIN_MS = 5000;
/** All are opened within this time. */
const OPENING_MS = 2500;

let opened = 0;
function open(): void {
  const socket = connect(Number(port), host, () => opened++);
  socket.on('error', () => undefined);
  socket.on('close', () => setTimeout(open, AGAIN_MS));
}
for (let i = 0; i < Number(count); i++) setTimeout(open, (i * OPENING_MS) / Number(count));
process.on('message', () => process.send?.({ opened }));
process.send?.('started');
