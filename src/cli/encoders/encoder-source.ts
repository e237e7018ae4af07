import type { TrainedModel } from '../../domain/training.ts';

/** An encoder as it was read, before it is stored. */
export interface EncoderSource {
  input: 'text' | 'image';
  model: TrainedModel;
  /** Where it came from, and under which licence. */
  source: string;
  licence: string | null;
}

/** What a person may say of an encoder besides its files. */
export interface EncoderWishes {
  /** Pixels of a side of the images that it gets. */
  side?: number | undefined;
}

/** A form that packages of encoders have. */
export interface PackageForm {
  input: EncoderSource['input'];
  /** Files by which it is known. */
  marks: readonly string[];
  read(folder: string, wishes: EncoderWishes): Promise<TrainedModel>;
}
