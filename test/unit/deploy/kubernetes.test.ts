import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { Job } from 'kubernetes-models/batch/v1/Job';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap';
import { Service } from 'kubernetes-models/v1/Service';
import { ServiceAccount } from 'kubernetes-models/v1/ServiceAccount';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { commandNames } from '../../../src/cli/commands/registry.ts';
import { type SettingSpec, settingsTable } from '../../../src/cli/settings/table.ts';

const root = path.resolve(import.meta.dirname, '../../../deploy/kubernetes');
const kinds = { Deployment, Job, NetworkPolicy, PodDisruptionBudget, ConfigMap, Service, ServiceAccount };
/** Kinds of other projects, whose schemas are not at hand. */
const foreign = ['ScaledObject', 'TriggerAuthentication', 'Cluster'];
const places = [
  'base',
  ...['overlays', 'examples'].flatMap((dir) => readdirSync(path.join(root, dir)).map((name) => `${dir}/${name}`)),
];

interface Manifest {
  kind: string;
  metadata: { name: string };
  spec?: { replicas?: number; template?: { spec: PodSpec } };
  data?: Record<string, string>;
}

interface Container {
  args: string[];
  command?: string[];
  env?: { name: string }[];
  securityContext: { readOnlyRootFilesystem: boolean; allowPrivilegeEscalation: boolean };
  volumeMounts?: { name: string; mountPath: string; subPath?: string }[];
  resources: { limits?: { memory?: string } };
}

interface PodSpec {
  automountServiceAccountToken: boolean;
  securityContext: { runAsNonRoot: boolean };
  initContainers?: Container[];
  containers: Container[];
}

const isThere = (): boolean => {
  try {
    execFileSync('kubectl', ['version', '--client'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};
const hasKubectl = isThere();
if (!hasKubectl) console.log('kubectl is not on this machine: the manifests are not tested');

const built = (place: string): Manifest[] => {
  const text = execFileSync('kubectl', ['kustomize', path.join(root, place)], { encoding: 'utf8' });
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
};

describe.skipIf(!hasKubectl).each(places)('deploy/kubernetes/%s', (place) => {
  const manifests = hasKubectl ? built(place) : [];
  const pods = manifests.flatMap(({ metadata, spec }) =>
    spec?.template === undefined ? [] : [{ name: metadata.name, ...spec.template.spec }],
  );

  test('fits the schemas of the Kubernetes API', () => {
    for (const manifest of manifests) {
      if (foreign.includes(manifest.kind)) continue;
      const Model = kinds[manifest.kind as keyof typeof kinds] as unknown as new (it: unknown) => { validate(): void };
      expect([manifest.kind, Model]).not.toContain(undefined);
      expect(() => new Model(manifest).validate()).not.toThrow();
    }
  });

  test('runs existing commands with existing settings', () => {
    const variables = Object.values(settingsTable).map((setting: SettingSpec) => setting.variable);
    for (const { containers } of pods) {
      for (const { args, env = [] } of containers) {
        expect(commandNames).toContain(args[0]);
        for (const { name } of env) if (!name.startsWith('PG')) expect(variables).toContain(name);
      }
    }
    const settings = manifests.find(({ kind }) => kind === 'ConfigMap')?.data ?? {};
    for (const name of Object.keys(settings)) expect(variables).toContain(name);
  });

  test('a cache is a folder of the user, since an empty volume belongs to root', () => {
    for (const { initContainers = [], containers } of pods) {
      const mounts = containers.flatMap(({ volumeMounts = [] }) => volumeMounts).filter(({ name }) => name === 'cache');
      if (mounts.length === 0) continue;
      expect(mounts).toMatchObject([{ mountPath: '/var/cache/rafiki', subPath: 'own' }]);
      expect(initContainers).toMatchObject([{ command: ['mkdir', '-p', '-m', '700', '/volume/own'] }]);
    }
  });

  test('nothing runs as root, writes beside its folders, or knows the API', () => {
    expect(pods.length).toBeGreaterThanOrEqual(3);
    for (const pod of pods) {
      expect(pod).toMatchObject({ automountServiceAccountToken: false, securityContext: { runAsNonRoot: true } });
      for (const { securityContext, resources } of [...(pod.initContainers ?? []), ...pod.containers]) {
        expect(securityContext).toMatchObject({ readOnlyRootFilesystem: true, allowPrivilegeEscalation: false });
        expect(resources.limits?.memory).toBeDefined();
      }
    }
  });
});

test.skipIf(!hasKubectl)('KEDA alone decides on the number of workers, where it does', () => {
  const worker = built('overlays/many-workers').find(
    ({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'rafiki-worker',
  );
  expect(worker?.spec?.replicas).toBeUndefined();
});

test.skipIf(!hasKubectl)(
  'the service of HTTP finds the port of its pods, which may reach the prediction servers',
  () => {
    const manifests = built('base') as (Manifest & { spec: Record<string, unknown> })[];
    const of = (kind: string, name: string) =>
      manifests.find((each) => each.kind === kind && each.metadata.name === name)?.spec;
    expect(of('Service', 'rafiki-http')).toMatchObject({
      ports: [{ port: 80, targetPort: 'http' }],
      sessionAffinity: 'ClientIP',
    });
    expect(of('Deployment', 'rafiki-http')).toMatchObject({
      template: { spec: { containers: [{ ports: [{ name: 'http', containerPort: 54322 }, { name: 'metrics' }] }] } },
    });
    expect(of('NetworkPolicy', 'rafiki-http')).toMatchObject({
      ingress: [{ ports: [{ port: 54322 }] }],
      egress: [{ ports: [{ port: 54321 }] }],
    });
  },
);

const parsed = <T>(file: string): T => parse(readFileSync(path.join(root, file), 'utf8')) as T;

test('the job that installs has the tag of what it installs for, and does not stay in the way of the next one', () => {
  const tagOf = (place: string): unknown => parsed<{ images: unknown }>(`${place}/kustomization.yaml`).images;
  expect(tagOf('examples/cloudnative-pg')).toEqual(tagOf('base'));
  const job = parsed<{ spec: { ttlSecondsAfterFinished?: number } }>('examples/cloudnative-pg/install.yaml');
  expect(job.spec.ttlSecondsAfterFinished).toBeLessThanOrEqual(3600);
});
