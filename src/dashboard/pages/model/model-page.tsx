import type { ModelInputsAnswer } from '../../../http/charts/model-inputs.ts';
import type { ModelAnswer } from '../../../http/routes/models.ts';
import { CopiedSql } from '../../parts/copied-sql.tsx';
import { Failure, Loading } from '../../parts/messages.tsx';
import { Panel } from '../../parts/panel.tsx';
import { useLoaded } from '../../state/loading.ts';
import { Link } from '../../state/router.tsx';
import { Evaluated } from './evaluated.tsx';
import { statementsOf } from './statements.ts';
import { TryIt } from './try-it.tsx';
import { ModelFacts, Versions } from './versions.tsx';

const EVERY_MS = 5_000;

/** One model: what it is, whether it is right, and its answers to what one types. */
export function ModelPage({ model }: { model: string }) {
  const path = `/v1/models/${encodeURIComponent(model)}`;
  const found = useLoaded<ModelAnswer>(path, EVERY_MS);
  const inputs = useLoaded<ModelInputsAnswer>(`${path}/inputs`, EVERY_MS);
  const error = found.error ?? inputs.error;
  return (
    <>
      <div class="page-head">
        <span class="crumb">
          <Link to="/models">Models</Link>
        </span>
        <h1>{model}</h1>
      </div>
      {error !== undefined && <Failure error={error} again={found.reload} />}
      {found.value !== undefined && inputs.value !== undefined ? (
        <>
          <ModelFacts model={found.value} inputs={inputs.value} />
          <div class="grid">
            <TryIt model={model} inputs={inputs.value} />
            <Versions model={found.value} inputs={inputs.value} onChange={found.reload} />
            <Evaluated model={model} inputs={inputs.value} />
            <Panel title="SQL">
              <div class="stack">
                {statementsOf(model, inputs.value).map(({ what, sql }) => (
                  <div key={what} class="stack">
                    <h3>{what}</h3>
                    <CopiedSql name={what} sql={sql} />
                  </div>
                ))}
              </div>
            </Panel>
          </div>
        </>
      ) : (
        error === undefined && <Loading what="the model" />
      )}
    </>
  );
}
