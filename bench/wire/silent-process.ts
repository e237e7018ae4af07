import { connect } from 'node:net';

// Keeps connections open that are silent, or send a packet byte by byte; closed ones are opened again. Started by bench/wire/stage.ts.
const [host = '', port = '', count = '', kind = ''] = process.argv.slice(2);
const DRIP_MS = 20;
/** A closed one is opened again after this time. */
const AGAIN_MS = 5000;
/** All are opened within this time. */
const OPENING_MS = 2500;

let opened = 0;
function open(): void {
  const socket = connect(Number(port), host, () => opened++);
  socket.on('error', () => undefined);
  if (kind === 'dripping') {
    socket.write(Buffer.from([0, 0, 0x27, 0x10])); // announces 10,000 bytes
    const drip = setInterval(() => socket.write('a'), DRIP_MS);
    socket.on('close', () => clearInterval(drip));
  }
  socket.on('close', () => setTimeout(open, kind === 'dripping' ? DRIP_MS : AGAIN_MS));
}
for (let i = 0; i < Number(count); i++) setTimeout(open, (i * OPENING_MS) / Number(count));
process.on('message', () => process.send?.({ opened }));
process.send?.('started');
