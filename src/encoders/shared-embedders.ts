import type { ModelFile } from '../domain/training.ts';
import { readModel } from '../engine/model-file.ts';
import { Embedder } from './embedder.ts';

/** Of one thread: the encoders that its models stand on, by the hash of their files. */
const loaded = new Map<string, { embedder: Promise<Embedder>; users: number }>();

export interface BorrowedEmbedder {
  embedder: Embedder;
  release(): Promise<void>;
}

/** An encoder that is loaded once on a thread, with the threads of the first model that stands on it; it is unloaded with the last. */
export async function borrowEmbedder(file: ModelFile, threads: number): Promise<BorrowedEmbedder> {
  const key = file.name;
  const entry = loaded.get(key) ?? {
    embedder: readModel(file).then((model) => Embedder.load(model, { threads, longLived: true })),
    users: 0,
  };
  loaded.set(key, entry);
  entry.users++;
  let released = false;
  const release = async (): Promise<void> => {
    if (released) return;
    released = true;
    entry.users--;
    if (entry.users > 0) return;
    loaded.delete(key);
    await (await entry.embedder).release();
  };
  try {
    return { embedder: await entry.embedder, release };
  } catch (error) {
    entry.users--;
    if (loaded.get(key) === entry) loaded.delete(key);
    throw error;
  }
}
