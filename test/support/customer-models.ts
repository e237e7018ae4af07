import { expect } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { createCustomers } from './customers.ts';
import { createTestDatabase, type TestDatabase } from './postgres.ts';
import { startProcesses } from './running.ts';

export const few = `max_trials => 1, max_time => '2 min', seed => 3, knobs => '{"epochs": 10, "learning_rate": 0.05}'`;

/** A database with `customers`, a model of whether they buy, and one of what they spend, and the processes that answer. */
export interface CustomerModels {
  database: TestDatabase;
  db: Database;
  /** Trains a further model, by the arguments of rafiki_train. */
  train(args: string): Promise<void>;
  stop(): Promise<void>;
}

export async function trainCustomers(): Promise<CustomerModels> {
  const database = await createTestDatabase();
  const { db } = database;
  const train = async (args: string): Promise<void> => {
    const [study] = await db.query<{ id: number }>(`select rafiki_train(${args}) as id`);
    const [end] = await db.query('select rafiki_wait($1) as state', [study?.id]);
    expect(end).toEqual({ state: 'completed' });
  };
  await createCustomers(db);
  const processes = await startProcesses(database.service);
  await train(`'tabular_classification', 'customers', target => 'buys', families => '{linear}', ${few}`);
  await train(`'tabular_regression', 'customers', target => 'spends', features => '{age,city}', ${few}`);
  await db.query(`set rafiki.latency_budget = '20 s'`);
  const stop = async (): Promise<void> => {
    await processes.stop();
    await database.drop();
  };
  return { database, db, train, stop };
}
