import { MAX_TRAINED } from '../../datasets/split.ts';
import { PROCESS_BEAT_MS } from '../../db/heartbeat.ts';
import { MAX_CLASS_BYTES, MAX_CLASSES, MAX_LABEL_CHARS } from '../../domain/class-limits.ts';
import { MAX_VALUES } from '../../domain/hyper-space.ts';
import { IMPORT_PART_BYTES, MAX_IMPORT_BYTES, MAX_SPEC_BYTES } from '../../domain/import-limits.ts';
import { CLEAR_SCORE } from '../../domain/kinds/detection.ts';
import { MAX_NUMBER, MAX_NUMBER_CHARS } from '../../domain/kinds/regression.ts';
import { MAX_PAUSE_DAYS, MAX_STUDY_DAYS, MAX_WORKERS_PER_TRIAL } from '../../domain/study-limits.ts';
import { MAX_BUDGET_DAYS } from '../../protocol/duration.ts';
import { MAX_INPUTS } from '../../protocol/input-array.ts';
import { SERVER_BEAT_MS } from '../../serving/bridge-record.ts';
import { CLASS_BYTES, DETAIL_BYTES } from '../../serving/session/detail.ts';
import { SECOND_SEARCH_ROWS } from '../../serving/session/read-ahead.ts';

/** Numbers that SQL functions use: `npm run build` writes them into sql/idempotent in place of their names between @. */
export const sqlConstants = {
  /** Of a text. */
  max_text_bytes: 8_000_000,
  /** Of an image file. */
  max_image_bytes: 32 * 2 ** 20,
  /** Of a JSON array of images in base64; one of the maximum size fits. */
  max_image_request_bytes: 46_000_000,
  /** An array is sent in parts of about this size: the server parses 4 MB of JSON in about 15 ms. */
  part_bytes: 4_000_000,
  /** Of a part; far below the server's limit. */
  part_rows: MAX_INPUTS / 2,
  detail_bytes: DETAIL_BYTES,
  class_bytes: CLASS_BYTES,
  second_search_rows: SECOND_SEARCH_ROWS,
  /** After one and a half of the slowest heartbeats, a process or a server is taken to have ended. */
  alive_seconds: (1.5 * Math.max(PROCESS_BEAT_MS, SERVER_BEAT_MS)) / 1000,
  max_budget_days: MAX_BUDGET_DAYS,
  max_study_days: MAX_STUDY_DAYS,
  max_pause_days: MAX_PAUSE_DAYS,
  max_workers_per_trial: MAX_WORKERS_PER_TRIAL,
  /** Of a call whose model gets a new key meanwhile, or whose connection breaks. */
  max_attempts: 5,
  /** Of the knobs, or the list of families, in the arguments of rafiki_train. */
  max_argument_bytes: 64 * 2 ** 10,
  max_knob_values: MAX_VALUES,
  max_label_chars: MAX_LABEL_CHARS,
  max_classes: MAX_CLASSES,
  max_class_bytes: MAX_CLASS_BYTES,
  clear_score: CLEAR_SCORE,
  max_number: MAX_NUMBER,
  max_number_chars: MAX_NUMBER_CHARS,
  max_trained: MAX_TRAINED,
  max_import_bytes: MAX_IMPORT_BYTES,
  import_part_bytes: IMPORT_PART_BYTES,
  max_import_spec_bytes: MAX_SPEC_BYTES,
} as const satisfies Record<string, number>;
