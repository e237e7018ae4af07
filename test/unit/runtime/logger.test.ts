import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const logger = path.resolve(import.meta.dirname, '../../../src/runtime/logger.ts');

test.skipIf(!existsSync('/dev/full'))('a log on a full disk ends nothing', () => {
  const code = `import { createLogger } from ${JSON.stringify(logger)};
    const log = createLogger('test', 'info');
    for (let i = 0; i < 10; i++) log.info('said');
    console.log('went on');`;
  const tsx = path.resolve(import.meta.dirname, '../../../node_modules/.bin/tsx');
  const { stdout, status } = spawnSync('sh', ['-c', '"$0" --input-type=module -e "$1" 2>/dev/full', tsx, code], {
    encoding: 'utf8',
  });
  expect([stdout.trim(), status]).toEqual(['went on', 0]);
});
