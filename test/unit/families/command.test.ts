import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ParamSet } from '../../../src/domain/tensor.ts';
import type { TrainingHooks, TrainingResult, TrainingSpec } from '../../../src/domain/training.ts';
import { answerAll } from '../../../src/engine/evaluate.ts';
import { releaseIdleSessions } from '../../../src/engine/session.ts';
import { FamilyKilled } from '../../../src/errors/errors.ts';
import { describeCommand, loadFamilies } from '../../../src/families/sources.ts';
import { createEncoder } from '../../../src/features/registry.ts';
import { addFamilies, endsByItself, familiesFor } from '../../../src/models/registry.ts';
import { packModel, unpackModel } from '../../../src/params/model-codec.ts';
import { trainTrial } from '../../../src/training/train.ts';
import { softmaxPlace } from '../../support/families/softmax.ts';
import { dataOf, people, specOf } from '../models/people.ts';
import { watched } from '../models/sentences.ts';

const described = await describeCommand(softmaxPlace());
const classes = dataOf('tabular_classification', people(600));
const numbers = dataOf('tabular_regression', people(600));

let folder: string;
beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'rafiki-command-'));
  await use();
});
afterEach(() => {
  rmSync(folder, { recursive: true });
  addFamilies([]);
});
afterAll(releaseIdleSessions);

/** The command, doing something wrong. */
async function use(fault = ''): Promise<void> {
  addFamilies(await loadFamilies([{ ...described, ...softmaxPlace(fault) }]));
}

const spec = (knobs: TrainingSpec['knobs'] = {}, more: Partial<TrainingSpec> = {}): TrainingSpec => ({
  ...specOf('tabular_classification', 'softmax', classes, knobs),
  command: { folder, seconds: 60, epochSeconds: 30 },
  ...more,
});
const train = (hooks: TrainingHooks = watched(), ...of: Parameters<typeof spec>): Promise<TrainingResult> =>
  trainTrial(spec(...of), hooks);

describe('a family that is a command', () => {
  test('is one of its tasks, with its knobs', () => {
    const names = familiesFor('tabular_classification').map(({ name }) => name);
    expect(names.at(-1)).toBe('softmax');
    const [family] = familiesFor('tabular_regression').slice(-1);
    expect(family?.space('tabular_regression').initial()).toEqual({ epochs: 8, rate: 0.5 });
  });

  test('trains all of its epochs, and is stopped as networks are: in a worker as for the coordinator, which does not know it', () => {
    expect([endsByItself('softmax'), endsByItself('unknown'), endsByItself('gradient_boosting')]).toEqual([
      ...[false, false, true],
    ]);
  });

  test('its checkpoint, which may have a gigabyte, is read only where it is stored', async () => {
    const marked = Buffer.from('written after the message that named it');
    const kept: (ArrayBufferView | undefined)[] = [];
    const onCheckpoint = async (take: () => ParamSet): Promise<void> => {
      if (kept.length > 0) return;
      const [own] = readdirSync(folder);
      writeFileSync(path.join(folder, own ?? '', 'checkpoint'), marked);
      kept.push(Object.entries(take().tensors).find(([name]) => name.endsWith('checkpoint'))?.[1].data);
    };
    await train({ ...watched(), onCheckpoint });
    expect(Buffer.from(kept[0] as Uint8Array).equals(marked)).toBe(true);
  });

  test('learns classes; what it exports answers as it was validated, and leaves no files', async () => {
    const hooks = watched();
    const { score, epochs, model, predictions } = await train(hooks);
    expect(score).toBeGreaterThan(0.85); // as the families of Rafiki on these rows
    expect(hooks.reports).toHaveLength(8);
    expect(epochs).toBeLessThanOrEqual(8);
    expect(readdirSync(folder)).toEqual([]);
    const { onnx, features, explaining } = unpackModel(packModel(model));
    expect(explaining).toMatchObject({ kind: 'rows' });
    const { data } = await answerAll(onnx, await createEncoder(features).prepare(classes.valid.inputs), 1);
    const chosen = Array.from(predictions, (_, row) =>
      Number((data[2 * row + 1] as number) > (data[2 * row] as number)),
    );
    expect([...predictions]).toEqual(chosen);
  });

  test('learns numbers, in their own unit', async () => {
    const given = { task: 'tabular_regression', data: numbers } as const;
    const { score, metrics } = await train(watched(), { epochs: 20 }, given);
    expect(score).toBeGreaterThan(0.7);
    expect(metrics['rmse']).toBeLessThan(200); // the numbers are above a million
  });

  test('resumed from any checkpoint gives the same model', async () => {
    const undisturbed = watched();
    const whole = await train(undisturbed, { epochs: 4 });
    expect(undisturbed.checkpoints).toHaveLength(4);
    for (const checkpoint of undisturbed.checkpoints) {
      const resumed = await train(watched(checkpoint), { epochs: 4 });
      expect(Buffer.compare(resumed.model.onnx, whole.model.onnx)).toBe(0);
    }
  });

  test('publishes weights, and starts from those of another trial', async () => {
    let published: ReturnType<NonNullable<Parameters<TrainingHooks['onReport']>[1]>> | undefined;
    const first = watched();
    const onReport: TrainingHooks['onReport'] = async (report, weights) => {
      published = weights?.();
      return first.onReport(report);
    };
    await train({ ...first, onReport });
    expect(published?.roles).toEqual({ w: 'weight', b: 'offset' });
    const second = watched();
    const warmStart: TrainingHooks['warmStart'] = async (requested) => {
      expect(requested.map(({ name, role }) => [name, role])).toEqual([
        ['w', 'weight'],
        ['b', 'offset'],
      ]);
      return published?.tensors ?? {};
    };
    await train({ ...second, warmStart });
    expect(second.reports[0]?.loss).toBeLessThan(first.reports[0]?.loss ?? 0);
  });

  test('balanced classes weigh the same', async () => {
    const few = { ...classes, train: rareFirst(classes.train) };
    const { metrics } = await train(watched(), {}, { data: few, balanced: true });
    const { metrics: plain } = await train(watched(), {}, { data: few });
    expect(metrics['macro_f1']).toBeGreaterThan(plain['macro_f1'] ?? 1);
  });

  test('has none of our environment', async () => {
    await use('env');
    process.env['DATABASE_URL'] = 'postgres://rafiki_service:sesame@localhost/db';
    const failure = (await train().catch((error: unknown) => error)) as { detail?: string };
    delete process.env['DATABASE_URL'];
    const env: Record<string, string> = JSON.parse(failure.detail ?? '{}');
    expect(
      Object.keys(env)
        .filter((name) => !/^(PWD|OLDPWD|SHLVL|_)$/.test(name))
        .sort(),
    ).toEqual([...['HOME', 'LANG', 'MKL_NUM_THREADS', 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'PATH', 'TMPDIR']]);
    expect(JSON.stringify(env)).not.toContain('sesame');
  });

  test('is killed with all that it started, also while it trains', async () => {
    const log = path.join(folder, 'log');
    await use('endless');
    await expect(
      train({ ...watched(), stopNow: () => true }, { log }, { command: { folder, seconds: 5, epochSeconds: 1 } }),
    ).rejects.toMatchObject({ sqlstate: '38000' });
    const left = (): string[] =>
      readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandLine(pid).includes(`endless`));
    await expect.poll(left).toEqual([]); // a process that is killed is there for a moment
  });
});

const commandLine = (pid: string): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('softmax.mjs')
      ? readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      : '';
  } catch {
    return ''; // it has ended
  }
};

/** A tenth of the rows of the second class only. */
function rareFirst<Part extends typeof classes.train>({ inputs, labels }: Part): Part {
  const isKept = (_: unknown, row: number): boolean => labels[row] === 0 || row % 10 === 0;
  return { inputs: inputs.filter(isKept), labels: (labels as Int32Array).filter(isKept) } as unknown as Part;
}

describe('a bad command', () => {
  test.each([
    ['nonsense', 'the command of the family wrote something else than a message', /Epoch 1\/10/],
    ['floods', 'the command of the family wrote too much', /a line of more than 1048576 bytes/],
    ['many-lines', 'the command of the family wrote too much', /more than 8 lines/],
    ['dies', 'the command of the family ended early, with code 7', undefined],
    ['dies-at-once', 'the command of the family ended early, with code 1', /no module named torch/],
    ['nan', '"loss" in a message', /null/],
    ['no-model', 'ONNX Runtime cannot load it', /./],
    ['outside', '"model" of the family\'s command is no file', /without a path/],
    ['other-weights', '"weights" of the family\'s command are not those', /"w" is \[2\]/],
    ['other-input', 'its inputs have other names', /Its inputs are features; they have to be x/],
    ['logits', 'its answers are no probabilities', /Row \d+/],
    ['diverges', 'it answers with what is no number', /Row 0: NaN/],
  ])('%s: the trial fails, and says why', async (fault, message, detail) => {
    await use(fault);
    const failure = (await train().catch((error: unknown) => error)) as Error & { detail?: string; hint?: string };
    expect(failure).toMatchObject({ sqlstate: '38000', message: expect.stringContaining(message) });
    if (detail !== undefined) expect(failure.detail).toMatch(detail);
    expect(failure.hint).toBeDefined();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('one that a signal ended is tried again', async () => {
    await use('killed');
    await expect(train()).rejects.toBeInstanceOf(FamilyKilled);
  });

  test('its code says whether a signal ended it: a shell knows 64 of them, from 129 on', async () => {
    const run = (code: number): Promise<unknown> => describeCommand({ ...softmaxPlace(), command: `exit ${code}` });
    for (const code of [129, 137, 192]) await expect(run(code)).rejects.toBeInstanceOf(FamilyKilled);
    for (const code of [128, 193, 255]) {
      const message = `the command of the family ended early, with code ${code}`;
      await expect(run(code)).rejects.toMatchObject({ sqlstate: '38000', message });
    }
  });

  test.each(['endless', 'silent'])('%s: ends when its time is over', async (fault) => {
    await use(fault);
    const command = { folder, seconds: 5, epochSeconds: 0.5 };
    await expect(train(watched(), {}, { command })).rejects.toMatchObject({
      sqlstate: '38000',
      message: 'the command of the family took too long',
    });
  });

  test.each([
    ['', 'linear', /two model families "linear"/],
    ['', 'No-Name', /"name" in a message/],
  ])('%s %s: is refused when a worker starts', async (fault, name, message) => {
    const start = async (): Promise<void> =>
      addFamilies(await loadFamilies([await describeCommand(softmaxPlace(fault, name))]));
    await expect(start()).rejects.toThrow(message);
  });

  test('that does not describe itself is refused', async () => {
    const run = (command: string): Promise<unknown> => describeCommand({ ...softmaxPlace(), command });
    await expect(run('no-such-program')).rejects.toThrow('ended early, with code 127');
    await expect(run('exit 0')).rejects.toThrow('ended early, with code 0');
    await expect(run('echo hello')).rejects.toThrow('wrote something else than a message');
    await expect(run(`echo '{"rafiki": 2}'`)).rejects.toThrow('the version of the protocol');
    await expect(run('echo "{}"')).rejects.toThrow('"rafiki" in a message');
    await expect(run(`echo '{"rafiki": 1, "name": "x", "knob": {}}'`)).rejects.toThrow('"knob" in a message');
  });
});
