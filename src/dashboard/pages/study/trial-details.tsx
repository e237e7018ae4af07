import type { TrialAnswer } from '../../../http/routes/trials.ts';
import { decimals, duration, knobValue, percent } from '../../format.ts';
import { Failure } from '../../parts/messages.tsx';
import { useRefreshed } from '../../state/loading.ts';

export interface TrialDetailsProps {
  study: number;
  trial: number;
  turn: number;
}

/** All of the chosen trial: a row has no room for it, least of all on a phone. */
export function TrialDetails({ study, trial: number, turn }: TrialDetailsProps) {
  const { value, error } = useRefreshed<TrialAnswer>(`/v1/studies/${study}/trials/${number}`, turn);
  return (
    <section aria-label="Chosen trial">
      {error !== undefined && <Failure error={error} />}
      <p class="facts" role="status">
        Trial {number}
        {value !== undefined && `: ${value.family}, ${value.state}, score ${decimals(value.score)}`}
      </p>
      {value !== undefined && <Facts trial={value} />}
    </section>
  );
}

function Facts({
  trial: { knobs, epoch, epochs, seconds, parent, warm_share, refits, error },
}: {
  trial: TrialAnswer;
}) {
  const facts: [string, string][] = [
    ['Epochs', `${epoch ?? '–'}${epochs === null ? '' : ` of ${epochs}`}`],
    ['Time', duration(seconds)],
  ];
  if (parent !== null)
    facts.push(['Started with weights of', `trial ${parent}${warm_share === null ? '' : `, ${percent(warm_share)}`}`]);
  if (refits !== null) facts.push(['Trains again, on all rows', `trial ${refits}`]);
  facts.push(...Object.entries(knobs).map(([name, value]): [string, string] => [name, knobValue(value)]));
  if (error !== null) facts.push(['Error', error]);
  return (
    <dl class="facts">
      {facts.map(([name, text]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  );
}
