import fastify from 'fastify';

/** The cheapest route there is: it reads a JSON body and returns a constant. */
const app = fastify();
app.post('/constant', async () => ({ prediction: 'positive' }));
await app.listen({ host: '127.0.0.1', port: 0 });
const address = app.server.address();
process.send?.(typeof address === 'object' ? address?.port : undefined);
process.once('disconnect', () => process.exit());
