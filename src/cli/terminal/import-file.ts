import { open, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Database, Queryable } from '../../db/database.ts';
import { IMPORT_PART_BYTES, MAX_IMPORT_BYTES, MAX_SPEC_BYTES } from '../../domain/import-limits.ts';
import { BadData, DataTooLarge, InvalidParameter, UndefinedObject } from '../../errors/errors.ts';
import { sizeText } from '../../runtime/byte-size.ts';
import { command } from '../commands/command.ts';
import { readJson } from '../encoders/bounded-read.ts';
import { convertedModel } from '../encoders/tfjs-model.ts';
import { userSettings, withUser } from './user-session.ts';

export const importFileCommand = command({
  title: 'imports a model from an ONNX file; import FILE --name MODEL --task TASK',
  settings: [...userSettings, 'name', 'task', 'spec'],
  takesWords: true,
  run: ({ settings, words }) =>
    withUser(settings, async (database, api) => {
      const [file] = words;
      const { name, task } = settings;
      if (file === undefined || words.length > 1 || name === undefined || task === undefined) {
        throw new InvalidParameter('import takes one ONNX file, a name and a task', {
          hint: 'rafiki import FILE.onnx --name MODEL --task TASK; the table rafiki.task has the tasks.',
        });
      }
      const spec = settings.spec === undefined ? null : JSON.stringify(await readJson(settings.spec, MAX_SPEC_BYTES));
      const sent = await openFile(file);
      const begun = await sendAndClose(database, sent, { name, task, spec });
      process.stdout.write(`${sizeText(sent.bytes)} are stored as import ${begun}; they are being checked\n`);
      const [row] = await database.query<{ state: string }>(`select ${api}.rafiki_wait_import($1::bigint) as state`, [
        begun,
      ]);
      process.stdout.write(`model "${name}" is ${row?.state ?? 'imported'}\n`);
    }),
});

interface Upload {
  name: string;
  task: string;
  spec: string | null;
}

/** A file to send. */
interface SentFile {
  bytes: number;
  /** So many bytes from this place on. */
  read(from: number, bytes: number): Promise<Buffer>;
  close(): Promise<void>;
}

async function sendAndClose(database: Database, sent: SentFile, about: Upload): Promise<number> {
  try {
    return await database.transaction((on) => upload(on, sent, about));
  } finally {
    await sent.close();
  }
}

/** Sends the file in parts: a server and a driver have no value of any size. */
async function upload(on: Queryable, file: SentFile, { name, task, spec }: Upload): Promise<number> {
  const { bytes } = file;
  const [begun] = await on.query<{ import: number; ticket: string }>(
    'select b.import, b.ticket from rafiki._begin_import($1, $2, $3, $4, true) b',
    [name, task, bytes, spec],
  );
  if (begun === undefined) throw new UndefinedObject('the database began no import');
  for (let number = 0; number * IMPORT_PART_BYTES < bytes; number++) {
    const from = number * IMPORT_PART_BYTES;
    const part = await file.read(from, Math.min(IMPORT_PART_BYTES, bytes - from));
    await on.query('select rafiki._add_import_part($1, $2, $3, $4)', [begun.import, begun.ticket, number, part]);
  }
  await on.query('select rafiki._end_import($1, $2)', [begun.import, begun.ticket]);
  return begun.import;
}

/** An ONNX file; or what a graph model or a layers model of TensorFlow.js, a model.json, becomes. */
async function openFile(file: string): Promise<SentFile> {
  if (path.extname(file) === '.json') {
    const onnx = Buffer.from(await convertedModel(file));
    return {
      bytes: checkedSize(onnx.length),
      read: async (from, bytes) => onnx.subarray(from, from + bytes),
      close: async () => undefined,
    };
  }
  const found = await stat(file).catch((cause: unknown) => {
    throw new UndefinedObject(`there is no file ${file}`, { detail: String(cause), hint: 'Check the path.', cause });
  });
  if (!found.isFile()) throw new BadData(`${file} is no file`, { hint: 'Give the path of an ONNX file.' });
  const bytes = checkedSize(found.size);
  const handle = await open(file);
  return {
    bytes,
    async read(from, length) {
      const part = Buffer.alloc(length);
      const { bytesRead } = await handle.read(part, 0, length, from);
      if (bytesRead === length) return part;
      throw new BadData('the file has become shorter while it was read', { hint: 'Import it again.' });
    },
    close: () => handle.close(),
  };
}

function checkedSize(bytes: number): number {
  if (bytes <= MAX_IMPORT_BYTES) return bytes;
  throw new DataTooLarge('the ONNX file is too large', {
    detail: `It has ${sizeText(bytes)}; the maximum is ${sizeText(MAX_IMPORT_BYTES)}.`,
    hint: 'Export it in half precision or with weights in 8 bits, or import a smaller model.',
  });
}
