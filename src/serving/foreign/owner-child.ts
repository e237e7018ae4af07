// The process that answers with the imported models of one owner. It gets orders with names of files and with inputs, and no credentials.
import { reportError } from '../../errors/rafiki-error.ts';
import { reportedError } from '../../errors/reported.ts';
import { memoryError } from '../../foreign/memory-error.ts';
import { OrderPipe } from '../../runtime/frames/order-pipe.ts';
import { ReplicaOrders } from '../devices/replica-orders.ts';
import type { Report, ThreadOrder } from '../devices/thread-orders.ts';

const inWords = (report: Report): Report =>
  report.ok ? report : { ok: false, error: reportError(memoryError(reportedError(report.error))) };

const orders = new ReplicaOrders((report) => pipe.answer(inWords(report)));
const pipe = new OrderPipe<ThreadOrder>((order) => orders.receive(order));
