import { describe, expect, test, vi } from 'vitest';
import { Filler } from '../../src/coordinator/filler.ts';
import { silentLogger as logger } from '../../src/runtime/logger.ts';
import { Inbox } from '../support/inbox.ts';
import { eventually } from '../support/studies.ts';

const inbox = new Inbox();

describe('rows that wait', () => {
  test('include existing ones, and are not filled if a writer changes or deletes them meanwhile', async () => {
    await inbox.db.query(`insert into inbox (id, body) select i, 'hello' from generate_series(1, 5) i`);
    await inbox.attachLetters();
    const asked = new Promise<void>((resolve) => {
      const say = inbox.bridge.answer;
      inbox.bridge.answer = async (fields) => {
        resolve();
        await changed;
        inbox.bridge.answer = say;
        return say(fields);
      };
    });
    let change: () => void = () => undefined;
    const changed = new Promise<void>((resolve) => {
      change = resolve;
    });
    await inbox.startCoordinator();
    await asked;
    await inbox.db.query(`set local rafiki.fill_wait = 0; update inbox set body = 'world' where id = 1`);
    await inbox.db.query('delete from inbox where id = 2');
    await inbox.db.query(`update inbox set letter = 'x' where id = 3`);
    await inbox.db.query(`update inbox set size = 7 where id = 4`);
    change();
    await inbox.allFilled();
    expect(await inbox.rows()).toEqual([
      { id: 1, letter: 'w', size: null },
      { id: 3, letter: 'x', size: null },
      { id: 4, letter: 'h', size: 7 },
      { id: 5, letter: 'h', size: null },
    ]);
  });

  test('are found where the table is rewritten between two calls, which moves them', async () => {
    await inbox.db.query(`insert into inbox (id, body) select i, 'hello' from generate_series(1, 9000) i`);
    await inbox.attachLetters();
    const fill = (place: string): Promise<string | null> =>
      inbox.db.transaction(async (tx) => {
        await tx.query(`select set_config('rafiki.fill_place', $1, true)`, [place]);
        const [row] = await tx.query<{ place: string | null }>(
          `select rafiki._fill(reader)::jsonb ->> 'place' as place from rafiki.attachment`,
        );
        return row?.place ?? null;
      });
    let place = await fill('');
    expect(place).not.toBeNull();
    await inbox.db.query('vacuum full inbox');
    while (place !== null) place = await fill(place);
    expect(await inbox.db.query('select count(*)::int as left from inbox where letter is null')).toEqual([{ left: 0 }]);
  });

  test('do not wait for a locked one', async () => {
    await inbox.db.query(`insert into inbox (id, body) select i, 'hello' from generate_series(1, 5) i`);
    await inbox.attachLetters();
    const held = await inbox.db.connect(() => undefined);
    await held.query('begin');
    await held.query('select from inbox where id = 3 for update');
    await inbox.startCoordinator();
    await eventually(inbox.db, 'select from inbox having count(letter) = 4');
    await eventually(inbox.db, 'select from rafiki.attachment where retry_at > now()'); // not again and again
    await held.query('rollback');
    await held.close();
    await inbox.allFilled();
    expect(await inbox.db.query('select from inbox where letter is null')).toEqual([]);
  });

  test('are tried once if the model has no answer, or the column rejects it', async () => {
    await inbox.db.query(`create table initial (letter text primary key)`);
    await inbox.db.query(`insert into initial values ('h'), ('w')`);
    await inbox.db.query('alter table inbox add foreign key (letter) references initial');
    await inbox.db.query(`insert into inbox (id, body) values (1, 'hello'), (2, '!'), (3, 'world'), (4, 'zebra')`);
    await inbox.attachLetters();
    await inbox.startCoordinator();
    await inbox.allFilled();
    expect(await inbox.rows()).toMatchObject([{ letter: 'h' }, { letter: null }, { letter: 'w' }, { letter: null }]);
    expect(
      await inbox.db.query(`select place::text, error ->> 'sqlstate' as state from rafiki.unanswered order by 1`),
    ).toEqual([
      { place: '(0,2)', state: '22000' },
      { place: '(0,4)', state: '23503' },
    ]);
    expect(await inbox.attachment()).toMatchObject({ unanswered: 2, to_come: null });
    inbox.bridge.requests = [];
    await inbox.db.query(`set local rafiki.fill_wait = 0; insert into inbox (id, body) values (5, 'hello')`);
    await inbox.allFilled();
    expect(inbox.verbs()).toEqual(['P']);
    await inbox.db.query(`set local rafiki.fill_wait = 0; update inbox set body = 'who' where id = 2`);
    await inbox.allFilled();
    expect((await inbox.rows())[1]).toMatchObject({ letter: 'w' });
  });

  test('are tried where a row without an answer was before the table was rewritten', async () => {
    await inbox.db.query(
      `insert into inbox (id, body) values (1, 'gone'), (2, '!'), (3, 'world')`, // one transaction: the same version
    );
    await inbox.attachLetters();
    await inbox.db.query(`insert into rafiki.unanswered (attachment_id, relation, place, version, error)
      select a.id, pg_relation_filenode(a.target), i.ctid, i.xmin, '{}' from rafiki.attachment a, inbox i where i.id = 2`);
    await inbox.db.query('delete from inbox where id = 1');
    await inbox.db.query('vacuum full inbox');
    expect(await inbox.db.query('select ctid::text from inbox where id = 3')).toEqual([{ ctid: '(0,2)' }]);
    await inbox.startCoordinator();
    await inbox.allFilled();
    expect(await inbox.rows()).toMatchObject([{ letter: null }, { letter: 'w' }]);
  });

  test('are filled by the next coordinator', async () => {
    await inbox.attachLetters();
    await inbox.db.query(
      `set local rafiki.fill_wait = 0; insert into inbox (id, body) select i, 'hello' from generate_series(1, 3000) i`,
    );
    const say = inbox.bridge.answer;
    inbox.bridge.answer = () => new Promise(() => undefined);
    await inbox.startCoordinator();
    await eventually(
      inbox.db,
      'select from rafiki.attachment where waiting_since is not null and not exists (select from rafiki.attachment_mark)',
    );
    await inbox.stopCoordinator();
    inbox.bridge.answer = say;
    await inbox.startCoordinator();
    await inbox.allFilled();
    expect(await inbox.db.query('select from inbox where letter is null')).toEqual([]);
  });

  test('show an error in rafiki.attachments if the owner of the table has lost the right to the model', async () => {
    const alice = await inbox.database.as('alice');
    const [{ name } = { name: '' }] = await alice.query<{ name: string }>('select current_user::text as name');
    await inbox.db.query(`select rafiki_grant('letters', '${name}')`);
    await inbox.db.query(`alter table inbox owner to ${name}`);
    await alice.query(`select rafiki_attach('letters', 'inbox', 'body', 'letter')`);
    await inbox.db.query(`select rafiki_revoke('letters', '${name}')`);
    await alice.query(`insert into inbox (id, body) values (1, 'hello')`);
    await inbox.startCoordinator();
    await eventually(
      alice,
      `select from rafiki.attachments where last_error = 'the table''s owner may not use the model'`,
    );
    expect(await inbox.rows()).toMatchObject([{ letter: null }]);
    await inbox.db.query(`select rafiki_grant('letters', '${name}')`);
    await inbox.allFilled();
    expect(await inbox.rows()).toMatchObject([{ letter: 'h' }]);
  });

  test('are given up for a while if code of the owner of the table blocks, even if it catches each cancel', async () => {
    await inbox.db.query(`create function block() returns trigger language plpgsql as $$
      begin
        loop
          begin
            perform pg_sleep(1000);
          exception when query_canceled then null;
          end;
        end loop;
      end $$`);
    await inbox.db.query(`insert into inbox (id, body) values (1, 'hello')`);
    await inbox.db.query('create trigger block before update on inbox for each row execute function block()');
    await inbox.attachLetters();
    const filler = new Filler({ database: inbox.database.service, onTurn: () => undefined, callEndMs: 500, logger });
    await filler.run();
    try {
      await eventually(inbox.db, 'select from rafiki.attachments where last_error is not null');
      const sessions = `select from pg_stat_activity where usename = 'rafiki_reader' and datname = current_database()`;
      await expect.poll(() => inbox.db.query(sessions)).toEqual([]);
    } finally {
      await filler.stop();
    }
    expect(await inbox.rows()).toMatchObject([{ letter: null }]);
  });

  test('of a table that is detached between two slices are forgotten', async () => {
    await inbox.db.query(`insert into inbox (id, body) values (1, 'hello')`);
    await inbox.attachLetters();
    const { service } = inbox.database;
    const query = vi.spyOn(service, 'query');
    const busy = (): unknown => query.mock.calls.findLast(([sql]) => sql.includes('rafiki.attachment_mark'))?.[1]?.[0];
    let turn: () => void = () => undefined;
    const sliced = new Promise<void>((resolve) => {
      turn = resolve;
    });
    const filler = new Filler({ database: service, onTurn: turn, sliceMs: 0, logger });
    await filler.run();
    await sliced;
    await filler.stop();
    await filler.run();
    expect(busy()).toHaveLength(1);
    await inbox.db.query(`select rafiki_detach('inbox', 'letter')`);
    await filler.run();
    expect(busy()).toEqual([]);
    query.mockRestore();
  });

  test('are filled for writers who may neither use the model nor update the table', async () => {
    const mallory = await inbox.database.as('mallory');
    await inbox.db.query('grant insert on inbox to public');
    await inbox.attachLetters();
    await mallory.query(`insert into inbox (id, body) select i, 'hello' from generate_series(1, 40) i`);
    expect(await inbox.db.query('select from inbox where letter is not null')).toEqual([]);
    await inbox.startCoordinator();
    await inbox.allFilled();
    expect(await inbox.db.query('select from inbox where letter is null')).toEqual([]);
  });

  test('are filled if they were replicated', async () => {
    await inbox.attachLetters();
    await inbox.db.transaction(async (tx) => {
      await tx.query('set local session_replication_role = replica');
      await tx.query(`insert into inbox (id, body, letter) values (1, 'hello', null), (2, 'hello', 'x')`);
    });
    expect(inbox.bridge.requests).toEqual([]);
    await inbox.startCoordinator();
    await inbox.allFilled();
    expect(await inbox.rows()).toMatchObject([{ letter: 'h' }, { letter: 'x' }]);
  });
});
