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
  Curves: {
    /** trials that have reports */
    of: number;
    curves: {
      trial: number;
      family: string;
      epochs: number[];
      scores: (number | null)[];
      losses: (number | null)[];
    }[];
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
  Explanation: {
    class: string | null;
    score: number;
    base: number;
    contributions: {
      feature: string;
      /** the words, of a text */
      value?: string;
      contribution: number;
      x?: number;
      y?: number;
      w?: number;
      h?: number;
    }[];
  };
  Finding: {
    finding: string;
    detail: string;
  };
  Grant: {
    model: string;
    role: string;
  };
  History: {
    states: string[];
    families: string[];
    trial: number[];
    family: number[];
    state: number[];
    score: (number | null)[];
    epoch: (number | null)[];
    epochs: (number | null)[];
    began_s: (number | null)[];
    ended_s: (number | null)[];
    parent: (number | null)[];
    refits: (number | null)[];
    worker: (number | null)[];
  };
  Knob: {
    family: string;
    knob: string;
    grp: string | null;
    kind: string;
    domain: string | null;
    initial: string | null;
  };
  KnobValues: {
    /** scored trials of the family */
    of: number;
    trial: number[];
    score: (number | null)[];
    knobs: {
      knob: string;
      domain: Record<string, unknown>;
      values: unknown[];
    }[];
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
  Mistakes: {
    /** labelled rows that were predicted */
    rows: number;
    /** those whose class is right */
    hits: number;
    bins: {
      /** tenth of the confidence */
      place: number;
      rows: number;
      hits: number;
      /** the mean */
      confidence: number;
    }[];
    /** numbers: actual and predicted */
    pairs: (number | null)[][];
    mistakes: {
      actual: string;
      predicted: string | null;
      /** how certain the wrong class was, or how far off the number */
      fault: number;
      row: Record<string, string | null>;
      image: string | null;
    }[];
  };
  Model: {
    model: string;
    task: string;
    owner: string;
    versions: RafikiApi['Version'][];
  };
  ModelInputs: {
    task: string;
    input: 'text' | 'image' | 'columns';
    output: 'label' | 'number' | 'boxes';
    version: number | null;
    /** whether the role may deploy, undeploy and export it */
    owned: boolean;
    columns: {
      name: string;
      kind: string;
    }[];
    classes: string[] | null;
    feature: string | null;
    source: string | null;
    validation_source: string | null;
    target: string | null;
    members: {
      version: number;
      study: number | null;
      trial: number | null;
      rank: number;
      family: string;
      precision: string;
      score: number | null;
      weight: number | null;
    }[];
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
  ServedModel: {
    model: string;
    version: number | null;
    /** the latency budget, if a call and its session have none */
    budget_ms: number;
    calls: number | null;
    rows: number | null;
    cached: number | null;
    batches: number | null;
    overdue: number | null;
    refused: number | null;
    p50_ms: number | null;
    p99_ms: number | null;
    /** calls by their time, as in rafiki.stat_batches */
    latencies: number[];
    batch_sizes: number[];
    members: {
      members: string[];
      rows: number;
    }[];
    memory: {
      process: number;
      host: string;
      mb: number;
      loads: number;
      cold: number;
    }[];
  };
  Session: {
    role: string;
    /** for the header Rafiki-Session of each request, in addition to the cookie */
    key: string;
    /** seconds until it ends, however it is used */
    lasts_s: number;
  };
  Study: {
    study: number;
    model: string;
    task: string;
    source: string | null;
    state: string;
    paused: boolean;
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
    only_predicts: boolean;
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
    start?: string;
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
  Utilisation: {
    /** its process */
    worker: number;
    /** seconds of the last hour in trials that the role may see */
    busy_s: number;
    trials: number;
    studies: number[];
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
    rule: string | null;
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
