import { InvalidParameter, UndefinedObject } from '../../errors/errors.ts';
import { command } from '../commands/command.ts';
import { formatTable } from './format-table.ts';
import { userSettings, withUser } from './user-session.ts';

/** Of trials that failed alike, one is shown. */
const MAX_ERRORS = 20;
const errors = `
  select min(t.number) as trial, count(*)::int as trials, t.error ->> 'message' as message, t.error ->> 'detail' as detail, t.error ->> 'hint' as hint
  from rafiki.trial t where t.study_id = $1 and t.error is not null
  group by 3, 4, 5 order by 1 limit $2`;

interface TrialError {
  trial: number;
  trials: number;
  message: string;
  detail: string | null;
  hint: string | null;
}

function errorLines(found: readonly TrialError[]): string[] {
  return found.flatMap(({ trial, trials, message, detail, hint }) => [
    `\ntrial ${trial}${trials > 1 ? ` and ${trials - 1} more` : ''}: ${message}`,
    ...(detail === null ? [] : [`DETAIL:  ${detail}`]),
    ...(hint === null ? [] : [`HINT:  ${hint}`]),
  ]);
}

const isNumber = /^\d{1,18}$/;

export const logsCommand = command({
  title: 'shows a study: where its time went, its trials, and their errors; logs STUDY',
  settings: [...userSettings],
  takesWords: true,
  run: ({ settings, words }) =>
    withUser(settings, async (database, api) => {
      const [study] = words;
      if (study === undefined || words.length > 1 || !isNumber.test(study)) {
        throw new InvalidParameter('logs takes the number of a study', { hint: '"rafiki status" lists the studies.' });
      }
      const print = (text: string): void => void process.stdout.write(`${text}\n`);
      const one = await database.query<Record<string, unknown>>('select * from rafiki.studies where study = $1', [
        study,
      ]);
      if (one.length === 0) {
        throw new UndefinedObject(`study ${study} does not exist`, {
          hint: '"rafiki status" lists the studies that this role may see.',
        });
      }
      for (const [name, value] of Object.entries(one[0] ?? {})) if (value !== null) print(`${name.padEnd(8)} ${value}`);
      const trials = await database.query<Record<string, unknown>>(
        'select trial, family, state, attempt, epoch, score, seconds, rafiki._cut(knobs_or_error, 24) as knobs_or_error from rafiki.trials where study = $1 order by trial',
        [study],
      );
      print(`\n${formatTable(trials)}`);
      for (const line of errorLines(await database.query<TrialError>(errors, [study, MAX_ERRORS]))) print(line);
      const report = await database.query<Record<string, unknown>>(`select * from ${api}.rafiki_report($1::bigint)`, [
        study,
      ]);
      print(`\n${formatTable(report)}`);
    }),
});
