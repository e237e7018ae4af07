import { createCertificate } from '../../src/bridge/certificate.ts';
import { BridgeServer } from '../../src/bridge/server.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { PredictConversation } from '../../src/serving/session/conversation.ts';
import { stageModel } from '../../test/unit/serving/staged-model.ts';

// A bridge over a model of the tests, in a process of its own: started by bench/wire/stage.ts.
const staged = await stageModel();
let unhandled = 0;
process.on('unhandledRejection', () => {
  unhandled++;
});
const server = new BridgeServer({
  host: '127.0.0.1',
  port: 0,
  secret: 'right',
  certificate: await createCertificate(),
  converse: () => new PredictConversation(staged.connect()),
  isIdle: () => true,
  logger: silentLogger,
});
await server.start();
process.on('message', () => {
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  process.send?.({ heldBytes: heapUsed + external, rssBytes: rss, unhandled });
});
process.send?.(server.address());
