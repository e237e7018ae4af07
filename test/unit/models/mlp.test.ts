import { afterAll, expect, test } from 'vitest';
import type { Knobs } from '../../../src/domain/hyper-space.ts';
import type { FittedFeatures } from '../../../src/domain/training.ts';
import { loadModel } from '../../../src/engine/inference.ts';
import { createSession, releaseIdleSessions } from '../../../src/engine/session.ts';
import { fitDense } from '../../../src/features/dense.ts';
import { createEncoder } from '../../../src/features/registry.ts';
import { Graph } from '../../../src/graph/graph.ts';
import { exportModel, type Weight } from '../../../src/graph/inference-graph.ts';
import { Values } from '../../../src/graph/network.ts';
import { encodeModel } from '../../../src/graph/onnx.ts';
import { Tape } from '../../../src/graph/tape.ts';
import { mlp } from '../../../src/models/tabular/mlp.ts';
import { createRng } from '../../../src/runtime/rng.ts';
import { askPython, hasPython } from '../../support/python-peer.ts';
import { tableRows } from '../features/table-rows.ts';

afterAll(releaseIdleSessions);

const knobs: Knobs = { ...mlp.space('tabular_classification').initial(), width: 8, depth: 2, members: 3 };
const columns = ['a', 'b'].map((name) => ({ name, kind: 'number' })).concat({ name: 't', kind: 'text' });
const rows = Array.from({ length: 12 }, (_, i) =>
  JSON.stringify({ a: i % 5 === 0 ? null : Math.sin(i), b: i * i, t: i % 3 === 0 ? 'x' : 'y' }),
);
const fitted: FittedFeatures = {
  encoder: 'dense',
  classes: ['p', 'q', 'r'],
  state: fitDense(tableRows(columns, rows)),
};
const kinds: Record<string, FittedFeatures> = {
  classes: fitted,
  numbers: { ...fitted, classes: [], target: { mean: 50, scale: 3 } },
};

/** Weights, inputs and targets of a step. */
function stepOf(features: FittedFeatures) {
  const rng = createRng(9);
  const network = mlp.network(features, knobs);
  const weights = Object.fromEntries(
    Object.entries(network.parameters).map(([name, { shape }]): [string, Weight] => {
      const size = shape.reduce((a, b) => a * b, 1);
      return [name, { shape, data: Float32Array.from({ length: size }, () => 0.5 * rng.normal()) }];
    }),
  );
  const x = createEncoder(features).encode(rows) as Record<
    'x',
    { dtype: 'float32'; shape: number[]; data: Float32Array }
  >;
  const [[target = '', spec] = []] = Object.entries(network.targets);
  const width = Number(spec?.shape[0]);
  const truth = Float32Array.from({ length: rows.length * width }, (_, i) =>
    features.target ? rng.normal() : Number(Math.floor(i / width) % width === i % width),
  );
  return { network, weights, x: x.x, target: { name: target, shape: [rows.length, width], data: truth } };
}

/** The loss of the step and its gradients by all weights. */
async function trained({ network, weights, x, target }: ReturnType<typeof stepOf>) {
  const g = new Graph('step');
  const tape = Tape.forTraining(g, {
    noise: (shape) => g.constant(new Float32Array(shape.reduce<number>((a, b) => a * Number(b), 1)).fill(1), shape),
  });
  const parameters = Object.entries(weights).map(([name, { shape }]) => [name, g.input(name, shape)] as const);
  const loss = network.loss(tape, {
    inputs: new Values([['x', g.input('x', x.shape)]]),
    targets: new Values([[target.name, g.input('y', target.shape)]]),
    parameters: new Values(parameters),
    dropout: g.scalar(0),
  });
  g.output(loss, 'loss');
  tape
    .gradients(
      loss,
      parameters.map(([, value]) => value),
    )
    .forEach((gradient, i) => {
      g.output(gradient, `d.${parameters[i]?.[0]}`);
    });
  const session = await createSession(encodeModel(g), 1);
  const tensors = Object.entries(weights).map(([name, { shape, data }]) => [
    name,
    { dtype: 'float32' as const, shape: [...shape], data },
  ]);
  const results = await session.run({ ...Object.fromEntries(tensors), x, y: { dtype: 'float32', ...target } });
  await session.release();
  return Object.fromEntries(
    Object.entries(results).map(([name, { data }]) => [name, Array.from(data as Float32Array)]),
  );
}

async function answered({ network, weights, x }: ReturnType<typeof stepOf>): Promise<number[]> {
  const model = await loadModel(exportModel(network, weights), { threads: 1 });
  const { data } = await model.run({ x });
  await model.release();
  return Array.from(data as Float32Array);
}

const hasTorch = hasPython('torch');

/** The same network in PyTorch, which differentiates by itself. */
const peer = `
import json, sys, torch
d = json.load(sys.stdin)
w = {k: torch.tensor(v["data"], dtype=torch.float64).reshape(v["shape"]).requires_grad_() for k, v in d["weights"].items()}
x, y = (torch.tensor(d[k]["data"], dtype=torch.float64).reshape(d[k]["shape"]) for k in "xy")
n = d["numbers"]
waves = torch.cos(x[:, :n, None] * w["numbers.frequency"][:, 0] + w["numbers.phase"][:, 0])
embedded = torch.einsum("nfi,fio->nfo", waves, w["numbers.w"]) + w["numbers.b"][:, 0]
z = torch.cat([x, embedded.flatten(1)], 1)
members = []
for k in range(w["out.w"].shape[0]):
    h = z
    for layer in range(d["depth"]):
        p = f"hidden{layer}."
        h = torch.relu((h * w[p + "in"][k]) @ w[p + "w"] * w[p + "out"][k] + w[p + "b"][k])
    members.append(h @ w["out.w"][k] + w["out.b"][k])
if d["unit"] is None:
    loss = sum(-(y * m.log_softmax(1)).sum(1).mean() for m in members) / len(members)
    answer = sum(m.softmax(1) for m in members) / len(members)
else:
    loss = sum(((m - y) ** 2).mean() for m in members) / len(members) / 8
    answer = sum(members) / len(members) * d["unit"]["scale"] + d["unit"]["mean"]
loss.backward()
print(json.dumps({"loss": [loss.item()], "answer": answer.flatten().tolist(), **{"d." + k: v.grad.flatten().tolist() for k, v in w.items()}}))`;

test.skipIf(!hasTorch).each(Object.entries(kinds))(
  "%s: loss, gradients and answers equal PyTorch's",
  async (_, features) => {
    const step = stepOf(features);
    const { weights, x, target } = step;
    const plain = ({ shape, data }: { shape: readonly number[]; data: Float32Array }) => ({
      shape,
      data: Array.from(data),
    });
    const given = {
      weights: Object.fromEntries(Object.entries(weights).map(([name, weight]) => [name, plain(weight)])),
      ...{ x: plain(x), y: plain(target), numbers: 2, depth: knobs['depth'], unit: features.target ?? null },
    };
    const theirs = askPython(peer, given) as Record<string, number[]>;
    const ours = { ...(await trained(step)), answer: await answered(step) };
    expect(Object.keys(ours).sort()).toEqual(Object.keys(theirs).sort());
    for (const [name, values] of Object.entries(ours)) {
      const scale = Math.max(...(theirs[name] ?? []).map(Math.abs));
      for (const [i, value] of values.entries())
        expect(Math.abs(value - (theirs[name]?.[i] ?? Number.NaN)) / scale, name).toBeLessThan(1e-5);
    }
  },
);

test('wide tables have fewer members, and of very many numbers none is embedded', () => {
  const membersOf = (numbers: number): { members: number | undefined; embeds: boolean } => {
    const state = {
      columns: Array.from({ length: numbers }, (_, i) => ({ name: `c${i}`, kind: 'number', state: {} })),
      scalings: Array.from({ length: numbers }, () => ({ centre: 0, scale: 1, hasNulls: false })),
    };
    const { parameters } = mlp.network({ ...fitted, state }, { ...knobs, members: 8 });
    return { members: parameters['out.w']?.shape[0], embeds: 'numbers.frequency' in parameters };
  };
  expect(membersOf(128)).toEqual({ members: 8, embeds: true });
  expect(membersOf(129)).toEqual({ members: 8, embeds: false });
  expect(membersOf(1600)).toEqual({ members: 8, embeds: false });
  expect(membersOf(4096)).toEqual({ members: 4, embeds: false });
  expect(membersOf(20_000)).toEqual({ members: 1, embeds: false });
});
