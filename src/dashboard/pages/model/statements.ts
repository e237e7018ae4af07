import type { ModelInputsAnswer } from '../../../http/charts/model-inputs.ts';
import { literal } from '../../state/format.ts';

export interface Statement {
  what: string;
  sql: string;
}

/** Statements about a model, with the table that it learnt from where it is known. */
export function statementsOf(model: string, { input, output, source, columns }: ModelInputsAnswer): Statement[] {
  const name = literal(model);
  const table = source ?? 'my_table';
  const one = { text: "'a text'", image: "pg_read_binary_file('photo.jpg')", columns: literal(example(columns)) }[
    input
  ];
  const each = input === 'columns' ? 't' : input === 'image' ? 't.image' : 't.body';
  const many = output === 'number' ? 'rafiki_predict_number' : 'rafiki_predict';
  const statements = [
    { what: 'One answer', sql: `select rafiki_predict_detail(${name}, ${one});` },
    {
      what: 'Each row of a table',
      sql:
        output === 'boxes'
          ? `select t.*, d.* from ${table} t, rafiki_detect(${name}, ${each}) d;`
          : `select t.*, ${many}(${name}, ${each}) from ${table} t;`,
    },
    { what: 'Scores on labelled rows', sql: `select * from rafiki_evaluate(${name}, ${literal(table)});` },
  ];
  if (input === 'columns')
    statements.push({ what: 'Which columns matter', sql: `select * from rafiki_feature_importance(${name});` });
  return statements;
}

const example = (columns: ModelInputsAnswer['columns']): string =>
  `{${columns
    .slice(0, 3)
    .map(
      ({ name, kind }) => `${JSON.stringify(name)}: ${kind === 'number' ? '1' : kind === 'boolean' ? 'true' : '"…"'}`,
    )
    .join(', ')}}`;
