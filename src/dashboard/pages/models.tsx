import type { ModelVersionAnswer } from '../../http/routes/models.ts';
import { counted, decimals } from '../format.ts';
import { CopiedSql } from '../parts/copied-sql.tsx';
import { Empty, Shown } from '../parts/messages.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { StateMark } from '../parts/state-mark.tsx';
import { useLoaded } from '../state/loading.ts';
import { Link, rowLeadsTo } from '../state/router.tsx';

const EVERY_MS = 10_000;

/** The models that the role may use, each with the version that answers, or else its newest. */
export function Models() {
  const loaded = useLoaded<{ models: ModelVersionAnswer[] }>('/v1/models?limit=1000', EVERY_MS);
  return (
    <>
      <div class="page-head">
        <h1>Models</h1>
      </div>
      <section class="panel" aria-label="Models">
        <Shown loaded={loaded} what="models">
          {({ models }) => (models.length === 0 ? <NoModels /> : <ModelTable versions={models} />)}
        </Shown>
      </section>
    </>
  );
}

function ModelTable({ versions }: { versions: readonly ModelVersionAnswer[] }) {
  const byModel = new Map<string, ModelVersionAnswer[]>();
  for (const version of versions) byModel.set(version.model, [...(byModel.get(version.model) ?? []), version]);
  return (
    <Scroll label="Table of models">
      <table>
        <thead>
          <tr>
            <th>Model</th>
            <th>Deployment</th>
            <th class="num">Versions</th>
            <th class="num">Score</th>
            <th>Task</th>
            <th>Families</th>
            <th>Owner</th>
          </tr>
        </thead>
        <tbody>
          {[...byModel].map(([model, own]) => (
            <ModelRow key={model} model={model} versions={own} />
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function ModelRow({ model, versions }: { model: string; versions: readonly ModelVersionAnswer[] }) {
  const path = `/models/${encodeURIComponent(model)}`;
  const shown = versions.find(({ deployment }) => deployment === 'ready') ?? versions[0];
  if (shown === undefined) return null;
  const { version, deployment, score, metric, task, families, owner } = shown;
  return (
    <tr {...rowLeadsTo(path)}>
      <td>
        <Link to={path}>{model}</Link> <span class="muted">v{version}</span>
      </td>
      <td>{deployment === null ? <span class="muted">not deployed</span> : <StateMark state={deployment} />}</td>
      <td class="num">{counted(versions.length)}</td>
      <td class="num">
        {decimals(score)} <span class="muted">{metric}</span>
      </td>
      <td class="nowrap">{task}</td>
      <td>{families}</td>
      <td>{owner}</td>
    </tr>
  );
}

const NoModels = () => (
  <Empty title="No model yet.">
    <span>
      A <Link to="/studies">study</Link> makes one when it completes. To use another role's model, ask its owner for:
    </span>
    <CopiedSql name="the statement" sql="select rafiki_grant('model', 'your_role');" />
  </Empty>
);
