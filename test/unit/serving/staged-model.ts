import type { DeploymentRow } from '../../../src/db/statements/serving/deployments.ts';
import { unweighted } from '../../../src/domain/ensembles/rule.ts';
import { UndefinedObject } from '../../../src/errors/errors.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { AnswerCache } from '../../../src/serving/answer-cache.ts';
import type { BatchResult, Device, ExplainedEnsemble } from '../../../src/serving/devices/device.ts';
import { measureLatency } from '../../../src/serving/devices/measure.ts';
import { Machine } from '../../../src/serving/machine/machine.ts';
import { assumedAccuracies, ServedFleet } from '../../../src/serving/policies/fleet.ts';
import { policyByName } from '../../../src/serving/policies/registry.ts';
import { PredictStat } from '../../../src/serving/predict-stat.ts';
import { ServedModel } from '../../../src/serving/served-model.ts';
import { Client } from '../../../src/serving/session/client.ts';
import type { ModelDirectory } from '../../../src/serving/session/model-directory.ts';

const SLOTS = 8;

/** Predicts "yes" for texts that begin with y, otherwise "no"; with "slow" texts a batch takes `slowMs`, with "broken" ones it fails. */
class WordDevice implements Device {
  readonly isReady = true;
  readonly isFree = true;
  readonly inlineRows = 0;
  slowMs = 0;
  asked: string[] = [];

  async run(inputs: readonly string[], subset: number): Promise<BatchResult> {
    const startedMs = performance.now();
    this.asked.push(...inputs);
    if (inputs.some((input) => input.startsWith('broken'))) throw new Error('the device is broken');
    if (inputs.some((input) => input.startsWith('slow')))
      await new Promise((resolve) => setTimeout(resolve, this.slowMs));
    const output = Float32Array.from(inputs.flatMap((input) => (input.startsWith('y') ? [0.1, 0.9] : [0.9, 0.1])));
    const outputs = Array.from({ length: subset.toString(2).replaceAll('0', '').length }, () => output);
    return { outputs, ms: performance.now() - startedMs };
  }

  /** Each word adds one, to a base of a half. */
  async explain(orders: readonly string[], { members }: ExplainedEnsemble): Promise<BatchResult> {
    this.asked.push(...orders);
    if (orders.some((order) => order.includes('slow')))
      await new Promise((resolve) => setTimeout(resolve, this.slowMs));
    const outputs = orders.map((order) => {
      const [about, ...words] = order.split(' ');
      return Float32Array.from([Math.max(0, Number(about)), words.length + 0.5, 0.5, 0, 0, ...words.map(() => 1)]);
    });
    return { outputs, ms: members.length };
  }

  async open(): Promise<boolean> {
    return true;
  }

  async release(): Promise<void> {}
}

export interface StagedModel {
  device: WordDevice;
  model: ServedModel;
  connect(): Client;
}

/** A served model on a device of the test, under the key "key". */
export async function stageModel({ slots = SLOTS } = {}): Promise<StagedModel> {
  const row: DeploymentRow = {
    id: 1,
    state: 'ready',
    modelId: 1,
    model: 'm',
    task: 'text_classification',
    key: 'key',
    budgetMs: 30,
    versionId: 1,
    version: 3,
    columns: null,
    foreignOwner: null,
    score: 0.9,
    accuracies: null,
    rule: 'vote',
    classes: ['no', 'yes'],
    members: [{ family: 'f', precision: 'float32', paramsId: 1, encoderId: null, variantOf: null, ...unweighted(0.9) }],
  };
  const device = new WordDevice();
  const fleet = new ServedFleet({
    members: row.members,
    accuracy: assumedAccuracies(row.members, row.score),
    servers: slots,
  });
  fleet.measured(await measureLatency(device, 1, 'sample'));
  const model = new ServedModel({
    row,
    device,
    fleet,
    policy: policyByName('planner'),
    cache: new AnswerCache(),
    stat: new PredictStat(),
    machine: new Machine({ slots, clock: systemClock }),
    clock: systemClock,
  });
  device.asked = [];
  const models = directoryOf({ key: model });
  return { device, model, connect: () => new Client({ models, clock: systemClock }) };
}

/** Models by their keys. */
export function directoryOf(models: Readonly<Record<string, ServedModel>>): ModelDirectory {
  const refuse = async (): Promise<never> => {
    throw new UndefinedObject('the model is not deployed');
  };
  return {
    get: (key) => models[key],
    has: (key) => key in models,
    current: (modelId) => Object.values(models).find(({ row }) => row.modelId === modelId),
    find: refuse,
    whenLoaded: refuse,
  };
}
