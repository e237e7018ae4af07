import type { UtilisationAnswer } from '../../http/charts/utilisation.ts';
import type { WorkerAnswer } from '../../http/routes/service.ts';
import { counted, duration, percent, secondsOf } from '../format.ts';
import { CopiedSql } from '../parts/copied-sql.tsx';
import { Empty, Failure, Shown } from '../parts/messages.tsx';
import { Panel } from '../parts/panel.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { useLoaded } from '../state/loading.ts';
import { Link } from '../state/router.tsx';

const EVERY_MS = 3_000;
const HOUR_S = 3600;
/** A heartbeat comes every 5 s. */
const LATE_S = 15;

/** The running processes, and what they do for the role. */
export function Workers() {
  const loaded = useLoaded<{ workers: WorkerAnswer[] }>('/v1/workers', EVERY_MS);
  const used = useLoaded<{ workers: UtilisationAnswer[] }>('/v1/workers/utilisation', EVERY_MS);
  const byWorker = new Map(used.value?.workers.map((each) => [each.worker, each]));
  return (
    <>
      <div class="page-head">
        <h1>Workers</h1>
      </div>
      <Shown loaded={loaded} what="processes">
        {({ workers }) => (
          <>
            <Missing workers={workers} />
            {loaded.error === undefined && used.error !== undefined && (
              <Failure error={used.error} again={used.reload} />
            )}
            <Panel title="Processes" note="trials of studies that you may see" flush>
              <Scroll label="Table of processes">
                <table>
                  <thead>
                    <tr>
                      <th class="num">Process</th>
                      <th>Kind</th>
                      <th>Host</th>
                      <th>Device</th>
                      <th>Trains</th>
                      <th>Busy in the last hour</th>
                      <th class="num">Trials</th>
                      <th class="num">Up</th>
                      <th class="num">Last heartbeat</th>
                      <th class="num">Trials lost</th>
                    </tr>
                  </thead>
                  <tbody>
                    {workers.map((worker) => (
                      <ProcessRow
                        key={worker.process}
                        worker={worker}
                        used={used.value === undefined ? undefined : (byWorker.get(worker.process) ?? idle)}
                      />
                    ))}
                  </tbody>
                </table>
              </Scroll>
            </Panel>
          </>
        )}
      </Shown>
    </>
  );
}

const needed = [
  { kind: 'coordinator', without: 'studies are not planned', command: 'rafiki coordinator' },
  { kind: 'worker', without: 'trials wait', command: 'rafiki worker' },
  { kind: 'serving', without: 'nothing is predicted', command: 'rafiki serve' },
] as const;

/** What must run, and does not. */
function Missing({ workers }: { workers: readonly WorkerAnswer[] }) {
  const missing = needed.filter(({ kind }) => !workers.some((each) => each.kind === kind));
  const waiting = workers.find(({ kind }) => kind === 'coordinator');
  return (
    <>
      {missing.map(({ kind, without, command }) => (
        <section class="panel" key={kind} aria-label={`No ${kind}`}>
          <Empty title={`No ${kind} runs: ${without}.`}>
            <CopiedSql name="the command" sql={command} />
          </Empty>
        </section>
      ))}
      {waiting !== undefined && (waiting.waiting ?? 0) > 0 && (
        <div class="message" role="status">
          {counted(waiting.waiting)} trials wait for a worker, the oldest for {duration(waiting.oldest_s)}.
        </div>
      )}
    </>
  );
}

/** A worker that had no trial of the role. */
const idle: Pick<UtilisationAnswer, 'busy_s' | 'trials'> = { busy_s: 0, trials: 0 };

interface ProcessRowProps {
  worker: WorkerAnswer;
  /** Undefined while it is not known. */
  used: typeof idle | undefined;
}

function ProcessRow({ worker, used }: ProcessRowProps) {
  const { process, kind, host, pid, device, up, seen_s, trial, lost } = worker;
  const upS = secondsOf(up) ?? HOUR_S;
  const share = used === undefined ? undefined : Math.min(1, used.busy_s / Math.max(1, Math.min(HOUR_S, upS)));
  const [study] = trial?.split('/') ?? [];
  return (
    <tr>
      <td class="num">{process}</td>
      <td>{kind}</td>
      <td>
        {host} <span class="muted">pid {pid}</span>
      </td>
      <td>{device}</td>
      <td>
        {trial === null ? (
          <span class="muted">–</span>
        ) : (
          <span>
            trial {trial.split('/')[1]} of <Link to={`/studies/${study}`}>study {study}</Link>
          </span>
        )}
      </td>
      <td class="nowrap">
        {kind === 'worker' ? (
          <>
            <span class="progress" aria-hidden="true">
              <i style={{ width: `${100 * (share ?? 0)}%` }} />
            </span>{' '}
            <span class="num">{percent(share)}</span>
          </>
        ) : (
          ''
        )}
      </td>
      <td class="num">{kind === 'worker' ? counted(used?.trials) : ''}</td>
      <td class="num">{duration(secondsOf(up))}</td>
      <td class="num">
        {(seen_s ?? 0) > LATE_S ? <strong>{duration(seen_s)} ago</strong> : `${Math.round(seen_s ?? 0)} s ago`}
      </td>
      <td class="num">{lost === null ? '' : counted(lost)}</td>
    </tr>
  );
}
