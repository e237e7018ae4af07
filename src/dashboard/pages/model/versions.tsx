import type { ModelInputsAnswer } from '../../../http/charts/model-inputs.ts';
import type { ModelAnswer, ModelVersionAnswer } from '../../../http/routes/models.ts';
import { ask, post } from '../../api/client.ts';
import { counted, decimals } from '../../format.ts';
import { AskFirst } from '../../parts/ask-first.tsx';
import { IntervalFact } from '../../parts/interval-fact.tsx';
import { Failure } from '../../parts/messages.tsx';
import { Panel } from '../../parts/panel.tsx';
import { Scroll } from '../../parts/scroll.tsx';
import { StateMark } from '../../parts/state-mark.tsx';
import { useAttempt, useLoaded } from '../../state/loading.ts';
import { Link } from '../../state/router.tsx';

const KEPT_MS = 60_000;

const pathOf = (model: string): string => `/v1/models/${encodeURIComponent(model)}`;

export function ModelFacts({ model, inputs }: { model: ModelAnswer; inputs: ModelInputsAnswer }) {
  const shown = model.versions.find(({ version }) => version === inputs.version) ?? model.versions[0];
  const { score, low, high, metric, classes, families, rule } = shown ?? {};
  return (
    <section class="panel" aria-label="Overview">
      <dl class="facts">
        <div>
          <dt>{metric ?? 'Score'} on validation rows</dt>
          <dd class="figure">{decimals(score, 3)}</dd>
          <IntervalFact low={low} high={high} />
        </div>
        <div>
          <dt>Deployed version</dt>
          <dd class="figure">{inputs.version ?? 'none'}</dd>
        </div>
        <div>
          <dt>Task</dt>
          <dd>{model.task}</dd>
        </div>
        <div>
          <dt>{inputs.output === 'number' ? 'Predicts' : 'Classes'}</dt>
          <dd>{inputs.output === 'number' ? (inputs.target ?? 'a number') : counted(classes)}</dd>
        </div>
        <div>
          <dt>Members</dt>
          <dd>
            {families} {rule != null && <span class="muted">({rule})</span>}
          </dd>
        </div>
        <div>
          <dt>Learnt from</dt>
          <dd>{inputs.source ?? '–'}</dd>
        </div>
        <div>
          <dt>Owner</dt>
          <dd>{model.owner}</dd>
        </div>
      </dl>
    </section>
  );
}

export interface VersionsProps {
  model: ModelAnswer;
  inputs: ModelInputsAnswer;
  onChange(): void;
}

/** All versions, to be deployed and rolled back. */
export function Versions({ model, inputs, onChange }: VersionsProps) {
  const act = async (step: string, body?: unknown): Promise<void> => {
    await post(`${pathOf(model.model)}/${step}`, body);
    onChange();
  };
  const hasEarlier = model.versions.length > 1 && inputs.version !== null;
  const { isBusy, error, attempt } = useAttempt();
  return (
    <Panel
      title="Versions"
      flush
      size="half"
      note={
        inputs.owned && (
          <span class="row-of">
            <button type="button" disabled={isBusy} onClick={() => void attempt(() => download(model.model))}>
              ONNX file
            </button>
            {hasEarlier && (
              <AskFirst
                label="Roll back"
                question="The version that was deployed before answers again, as soon as a server has loaded it."
                act={() => act('rollback')}
              />
            )}
            {inputs.version !== null && (
              <AskFirst
                label="Undeploy"
                question="Calls of this model fail until a version is deployed again."
                isDangerous
                act={() => act('undeploy')}
              />
            )}
          </span>
        )
      }
    >
      {error !== undefined && <Failure error={error} />}
      <Undeployable model={model} />
      <Scroll label="Table of versions" maxHeight={420}>
        <table>
          <thead>
            <tr>
              <th class="num">Version</th>
              <th>Deployment</th>
              <th class="num">Score</th>
              <th>Members</th>
              <th class="num">Study</th>
              <th>
                <span class="unseen">Deploy</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {model.versions.map((version) => (
              <VersionRow
                key={version.version}
                version={version}
                inputs={inputs}
                onDeploy={() => act('deploy', { version: version.version })}
              />
            ))}
          </tbody>
        </table>
      </Scroll>
    </Panel>
  );
}

/** Why versions that were to be deployed are not. */
function Undeployable({ model: { model, versions } }: { model: ModelAnswer }) {
  const failed = versions.filter(({ deployment }) => deployment === 'failed').map(({ version }) => version);
  const path = `/v1/deployments?limit=100&model=${encodeURIComponent(model)}`;
  const { value } = useLoaded<{ deployments: DeploymentAnswer[] }>(failed.length === 0 ? undefined : path);
  const found = failed.flatMap((version) => value?.deployments.find((each) => each.version === version) ?? []);
  return (
    <>
      {found.map(({ version, error }) => (
        <Failure
          key={version}
          error={{ message: `version ${version} could not be deployed`, detail: error ?? 'The server told no reason.' }}
        />
      ))}
    </>
  );
}

/** A row of rafiki.deployments. */
interface DeploymentAnswer {
  version: number;
  error: string | null;
}

interface VersionRowProps {
  version: ModelVersionAnswer;
  inputs: ModelInputsAnswer;
  onDeploy(): Promise<void>;
}

function VersionRow({ version: { version, deployment, score, metric, families }, inputs, onDeploy }: VersionRowProps) {
  const members = inputs.members.filter((member) => member.version === version);
  const study = members[0]?.study ?? null;
  const exact = members.filter(({ precision }) => precision === 'float32');
  return (
    <tr>
      <td class="num">{version}</td>
      <td>{deployment === null ? <span class="muted">–</span> : <StateMark state={deployment} />}</td>
      <td class="num">
        {decimals(score)} <span class="sub">{metric}</span>
      </td>
      <td>
        {exact.length === 0 && families}
        {exact.map(({ rank, family, score: own, weight }) => (
          <span key={rank} class="nowrap" style={{ display: 'block' }}>
            {family} <span class="muted">{decimals(own)}</span>
            {weight !== null && <span class="muted"> × {decimals(weight, 2)}</span>}
          </span>
        ))}
        {members.length > exact.length && (
          <span class="sub">
            {counted(members.length - exact.length)} in 8 bits, which{' '}
            {members.length - exact.length === 1 ? 'is' : 'are'} quicker
          </span>
        )}
      </td>
      <td class="num">{study === null ? '–' : <Link to={`/studies/${study}`}>{study}</Link>}</td>
      <td class="num">
        {inputs.owned && version !== inputs.version && (
          <AskFirst
            label={`Deploy v${version}`}
            question="It answers as soon as a server has loaded it; until then the version of before does."
            act={onDeploy}
          />
        )}
      </td>
    </tr>
  );
}

async function download(model: string): Promise<void> {
  const response = await ask(`${pathOf(model)}/file`);
  const url = URL.createObjectURL(await response.blob());
  const link = document.createElement('a');
  link.href = url;
  link.download = `${model}.onnx`;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(url), KEPT_MS); // some browsers read it after the click
}
