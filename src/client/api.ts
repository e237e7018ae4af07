/**
 * What requests take and answers have, by the names of /openapi.json. Generated from it: vitest run --project pg18
 * test/pg/client.test.ts --update=all
 */
export interface RafikiApi {
  ClassScore: {
    label: string | null;
    row_count: number;
    metric: string;
    value: number | null;
    low: number | null;
    high: number | null;
  };
  ConfusionCell: {
    actual: string | null;
    predicted: string | null;
    row_count: number;
  };
  Dataset: {
    /** as other paths take it */
    name: string;
    schema: string;
    table: string;
    kind: 'table' | 'view';
    /** whether the role may drop it */
    owned: boolean;
    /** an estimate; -1: not known yet */
    rows: number;
    columns: {
      name: string;
      type: string;
    }[];
    comment: string | null;
  };
  Deployment: {
    model: string;
    version: number;
    state: string;
    since: string | null;
    error: string | null;
  };
  Detail: {
    label?: string;
    probabilities?: Record<string, number>;
    number?: number;
    boxes?: Record<string, unknown>[];
    versions: number[];
    batch: number;
    ms: number;
    overdue: boolean;
  };
  Error: {
    error: {
      /** SQLSTATE */
      code: string;
      message: string;
      detail?: string;
      hint?: string;
    };
  };
  Grant: {
    model: string;
    role: string;
  };
  Knob: {
    family: string;
    knob: string;
    grp: string | null;
    kind: string;
    domain: string | null;
    initial: string | null;
  };
  LabelledRows: {
    /** a data set: table, or schema.table */
    source: string;
    target?: string;
    feature?: string;
  };
  Metric: {
    metric: string;
    value: number | null;
    low: number | null;
    high: number | null;
  };
  Model: {
    model: string;
    task: string;
    owner: string;
    versions: RafikiApi['Version'][];
  };
  NewToken: {
    name: string;
    /** shown this once */
    token: string;
  };
  PredictStat: {
    model: string;
    calls: number | null;
    rows: number | null;
    cached: number | null;
    batches: number | null;
    rows_per_batch: number | null;
    overdue: number | null;
    p50_ms: number | null;
    p99_ms: number | null;
  };
  Prediction: {
    prediction?: string | number | Record<string, unknown>[] | null;
    predictions?: (string | number | Record<string, unknown>[] | null)[];
    detail?: RafikiApi['Detail'] | null;
    details?: (RafikiApi['Detail'] | null)[];
  };
  Report: {
    trial: number;
    epoch: number;
    step: number;
    loss: number | null;
    score: number | null;
    seconds: number | null;
    at: string | null;
  };
  Role: {
    role: string;
    roles: string[];
  };
  Study: {
    study: number;
    model: string;
    task: string;
    source: string | null;
    state: string;
    done: number;
    running: number;
    total: number;
    best: number | null;
    metric: string;
    version: number | null;
    eta: string | null;
    notice: string | null;
    plan: string | null;
    error: {
      code: string | null;
      message: string | null;
      detail: string | null;
      hint: string | null;
    } | null;
    created_at: string;
    started_at: string | null;
    ended_at: string | null;
  };
  Task: {
    task: string;
    input: string;
    output: string;
    families: string[];
  };
  Token: {
    name: string;
    created_at: string;
    expires_at: string;
    used_at: string | null;
  };
  TrainArguments: {
    task: string;
    /** a data set: table, or schema.table */
    source: string;
    model?: string;
    target?: string;
    features?: string[];
    families?: string[];
    knobs?: Record<string, unknown>;
    advisor?: string;
    collaborative?: boolean;
    max_trials?: number;
    /** an interval: 10 min */
    max_time?: string;
    target_score?: number;
    validation?: number;
    seed?: number;
    deploy?: boolean;
    on_bad_row?: string;
    validation_source?: string;
    validation_split?: string;
    validation_after?: string;
    metric?: string;
    class_weights?: string;
    replace?: boolean;
    workers_per_trial?: number;
    ensemble?: string;
  };
  Trial: {
    study: number;
    trial: number;
    family: string;
    state: string;
    attempt: number;
    epoch: number | null;
    epochs: number | null;
    score: number | null;
    seconds: number | null;
    parent: number | null;
    warm_share: number | null;
    refits: number | null;
    knobs: Record<string, unknown>;
    error: string | null;
    started_at: string | null;
    ended_at: string | null;
  };
  Upload: {
    dataset: string;
    rows: number;
    columns: {
      name: string;
      type: string;
    }[];
  };
  Version: {
    model: string;
    version: number;
    task: string;
    owner: string;
    metric: string | null;
    score: number | null;
    low: number | null;
    high: number | null;
    classes: number | null;
    families: string | null;
    deployment: string | null;
  };
  Worker: {
    process: number;
    kind: string;
    host: string;
    pid: number;
    device: string;
    up: string | null;
    seen_s: number | null;
    trial: string | null;
    waiting: number | null;
    oldest_s: number | null;
    lost: number | null;
  };
}
