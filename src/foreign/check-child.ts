// The process that checks one file and ends. It gets no credentials, and is killed where it takes too long or too much memory.
import { readFile } from 'node:fs/promises';
import { reportError } from '../errors/rafiki-error.ts';
import { OrderPipe } from '../runtime/frames/order-pipe.ts';
import { checkFile } from './check-file.ts';
import { checkedFound } from './checked-found.ts';
import { memoryError } from './memory-error.ts';
import type { CheckOrder, CheckReport } from './messages.ts';

async function report({ file, task, spec }: CheckOrder): Promise<CheckReport> {
  try {
    const given = JSON.parse(spec) as Readonly<Record<string, unknown>>;
    const found = await checkFile({ bytes: await readFile(file), task, spec: given, threads: 1 });
    // also here: what is too deep, or too much, cannot be sent
    return { ok: true, found: checkedFound(found, task) };
  } catch (error) {
    return { ok: false, error: reportError(memoryError(error)) };
  }
}

const pipe = new OrderPipe<CheckOrder>((order) => void report(order).then((answer) => pipe.answer(answer)));
