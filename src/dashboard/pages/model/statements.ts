import type { ModelInputsAnswer } from '../../../http/charts/model-inputs.ts';
import { literal } from '../../format.ts';

export interface Statement {
  what: string;
  sql: string;
}

/** Statements about a model, with the table that it learnt from where it is known. */
export function statementsOf(model: string, inputs: ModelInputsAnswer): Statement[] {
  const { input, output, columns } = inputs;
  const name = literal(model);
  const table = inputs.source ?? 'my_table';
  const each = input === 'columns' ? 't' : `t.${identifier(inputs.feature ?? (input === 'image' ? 'image' : 'body'))}`;
  const one = { text: "'a text'", image: each, columns: literal(example(columns)) }[input];
  const many = output === 'number' ? 'rafiki_predict_number' : 'rafiki_predict';
  const statements = [
    {
      what: 'One answer',
      sql: `select rafiki_predict_detail(${name}, ${one})${input === 'image' ? ` from ${table} t limit 1` : ''};`,
    },
    {
      what: 'Each row of a table',
      sql:
        output === 'boxes'
          ? `select t.*, d.* from ${table} t, rafiki_detect(${name}, ${each}) d;`
          : `select t.*, ${many}(${name}, ${each}) from ${table} t;`,
    },
    {
      what: 'Scores on labelled rows',
      sql: `select * from rafiki_evaluate(${name}, ${literal(inputs.validation_source ?? table)});`,
    },
  ];
  if (input === 'columns')
    statements.push({
      what: 'Which columns matter',
      sql: `select * from rafiki_feature_importance(${name}${inputs.source === null ? `, ${literal(table)}` : ''});`,
    });
  return statements;
}

/** A value of each kind of column, as JSON. */
const values: Readonly<Record<string, string>> = {
  number: '1',
  boolean: 'true',
  time: '"2026-03-01T12:00"',
  interval: '"2 days"',
  list: '[1, 2, 3]',
  object: '{"a": 1}',
};

const example = (columns: ModelInputsAnswer['columns']): string =>
  `{${columns.map(({ name, kind }) => `${JSON.stringify(name)}: ${values[kind] ?? '"a text"'}`).join(', ')}}`;

/** A column's name as SQL reads it after a dot, where no word is reserved. */
const identifier = (name: string): string =>
  /^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
