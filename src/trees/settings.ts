import { InvalidParameter } from '../errors/errors.ts';

const objectiveNames = ['log_loss', 'squared_error', 'absolute_error'] as const;
export type ObjectiveName = (typeof objectiveNames)[number];

/** How a forest is grown. Weights of leaves and gains are in the objective's units: sums of its second derivatives, and of loss. */
export interface BoostingSettings {
  objective: ObjectiveName;
  /** Classes of log loss; two have one tree a round, more have one each. */
  classes: number;
  learningRate: number;
  maxLeaves: number;
  /** Splits between root and leaf; 0 is no limit. */
  maxDepth: number;
  /** Leaves that are split between two exchanges of histograms, best first; 1 is leaf-wise growth. */
  leavesAtOnce: number;
  minLeafWeight: number;
  minGain: number;
  l1: number;
  l2: number;
  /** Share of the rows, and of the columns, that each tree is grown from. */
  rowShare: number;
  columnShare: number;
  /** Categories are ordered by G / (H + this), so that a rare one is near the middle. */
  categorySmoothing: number;
  seed: number;
}

const defaultSettings: BoostingSettings = {
  objective: 'squared_error',
  classes: 2,
  learningRate: 0.1,
  maxLeaves: 31,
  maxDepth: 0,
  leavesAtOnce: 1,
  minLeafWeight: 1,
  minGain: 0,
  l1: 0,
  l2: 1,
  rowShare: 1,
  columnShare: 1,
  categorySmoothing: 10,
  seed: 0,
};

type NumericSetting = Exclude<keyof BoostingSettings, 'objective'>;

/** Lowest and highest value; whether it is an integer. */
const bounds: Record<NumericSetting, readonly [number, number, 'integer' | 'number']> = {
  classes: [2, 10_000, 'integer'],
  learningRate: [1e-6, 10, 'number'],
  maxLeaves: [2, 4096, 'integer'],
  maxDepth: [0, 64, 'integer'],
  leavesAtOnce: [1, 4096, 'integer'],
  minLeafWeight: [0, 1e12, 'number'],
  minGain: [0, 1e12, 'number'],
  l1: [0, 1e12, 'number'],
  l2: [0, 1e12, 'number'],
  rowShare: [0.01, 1, 'number'],
  columnShare: [0.01, 1, 'number'],
  categorySmoothing: [0, 1e12, 'number'],
  seed: [0, 2 ** 32 - 1, 'integer'],
};

/** The given settings and the defaults of the rest; InvalidParameter names the first that is out of bounds. */
export function boostingSettings(given: Partial<BoostingSettings>): BoostingSettings {
  const settings = { ...defaultSettings, ...given };
  if (!objectiveNames.includes(settings.objective))
    throw new InvalidParameter(`there is no objective "${settings.objective}"`, {
      hint: `Use one of ${objectiveNames.join(', ')}.`,
    });
  for (const [name, [low, high, kind]] of Object.entries(bounds)) {
    const value = settings[name as NumericSetting];
    if (value >= low && value <= high && (kind === 'number' || Number.isInteger(value))) continue;
    throw new InvalidParameter(`${name} of a forest is ${value}`, {
      hint: `Give ${kind === 'integer' ? 'an integer' : 'a number'} from ${low} to ${high}.`,
    });
  }
  return settings;
}
