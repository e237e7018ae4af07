import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningRafiki, rafikiUp } from '../support/rafiki-up.ts';
import { fruit, hasRealImages, photographs } from '../support/real-images.ts';
import { failureOf } from '../support/sql-failure.ts';

describe.skipIf(!hasRealImages)('with photographs', () => {
  let rafiki: RunningRafiki;

  /** CALL rafiki_train_wait; returns its notices. */
  async function train(args: string): Promise<string[]> {
    const session = await rafiki.db.connect(() => undefined);
    const notices: string[] = [];
    session.onNotice((message) => notices.push(message));
    await session.query('set rafiki.refit = off'); // half the time
    try {
      await session.query(`call rafiki_train_wait(${args}, max_trials => 1, max_time => '3 min', seed => 1)`);
    } finally {
      await session.close();
    }
    return notices;
  }

  async function put(table: string, type: string, rows: [string, string][]): Promise<void> {
    await rafiki.db.query(
      `create table ${table} (id int generated always as identity primary key, truth ${type}, image bytea)`,
    );
    await rafiki.db.query(`insert into ${table} (truth, image) select * from unnest($1::${type}[], $2::bytea[])`, [
      rows.map(([truth]) => truth),
      rows.map(([, image]) => image),
    ]);
  }

  beforeAll(async () => {
    rafiki = await rafikiUp({ args: ['--workers', '1'] });
    await put('photos', 'text', photographs(['automobile', 'frog'], 160));
    await put('shelf', 'jsonb', fruit(24));
    await rafiki.db.query(`create table holes (image bytea)`);
    await rafiki.db.query(`insert into holes select image from photos where id <= 40`);
  });
  afterAll(async () => {
    expect(await rafiki.stop()).toBe(0);
  });

  test('a model is trained on a table of images, and predicts them in every form', async () => {
    await train(
      `'image_classification', 'photos', model => 'm', families => '{resnet}', knobs => '{"width": 16, "epochs": 6}'`,
    );
    const [row] = await rafiki.db.query<{ right: number; same: boolean; cached: boolean }>(
      `with asked as (select id, truth, rafiki_predict('m', image, budget => '1 min') as label from photos)
       select avg((truth = label)::int)::float8 as right,
              array_agg(label order by id)
                = rafiki_predict('m', (select array_agg(image order by id) from photos), budget => '1 min') as same
       from asked`,
    );
    expect(row?.right).toBeGreaterThan(0.75); // frogs are green; half right is chance
    expect(row?.same).toBe(true);
    const [detail] = await rafiki.db.query<{ d: { label: string; probabilities: Record<string, number> } }>(
      `select rafiki_predict_detail('m', image) as d from photos limit 1`,
    );
    expect(Object.keys(detail?.d.probabilities ?? {}).sort()).toEqual(['automobile', 'frog']);
    const [metric] = await rafiki.db.query(
      `select value from rafiki_evaluate('m', 'photos') where metric = 'accuracy'`,
    );
    expect(metric).toEqual({ value: row?.right });
  });

  test('if time is short a smaller network is trained and recorded, unless its size was chosen', async () => {
    const widthOf = async (knobs: string): Promise<unknown> => {
      const session = await rafiki.db.connect(() => undefined);
      await session.query('set rafiki.refit = off');
      const args = `families => '{resnet}', max_trials => 1, max_time => '1 s', knobs => '${knobs}'`;
      await session.query(`call rafiki_train_wait('image_classification', 'photos', model => 'short', ${args})`);
      await session.close();
      const [trial] = await rafiki.db.query<{ knobs: { width: number } }>(
        'select knobs from rafiki.trial order by id desc limit 1',
      );
      return trial?.knobs.width;
    };
    expect(await widthOf('{}')).toBe(16);
    expect(await widthOf('{"width": 32}')).toBe(32);
  });

  test('an unreadable image fails its own call with a hint, and no other', async () => {
    const broken = await failureOf(rafiki.db, `select rafiki_predict('m', '\\x0102'::bytea)`);
    expect(broken).toMatchObject({ code: '22000', hint: expect.stringContaining('JPEG') });
    expect(await failureOf(rafiki.db, `select rafiki_predict('m', 'a text')`)).toMatchObject({
      code: '22023',
      hint: expect.stringContaining('bytea'),
    });
    const both = await Promise.allSettled([
      rafiki.db.query(`select rafiki_predict('m', '\\x0304'::bytea)`),
      rafiki.db.query(`select rafiki_predict('m', array_agg(image)) from holes`),
    ]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  });

  test('a bad image ends a study early and is named, or is skipped and counted', async () => {
    await rafiki.db.query(
      `insert into photos (id, truth, image) overriding system value values (999, 'frog', '\\x00')`,
    );
    const args = `'image_classification', 'photos', model => 'again', families => '{resnet}', knobs => '{"width": 16, "epochs": 5}'`;
    await expect(train(args)).rejects.toMatchObject({
      code: '22000',
      detail: expect.stringContaining('Key (id)=(999): '),
      hint: expect.stringContaining('on_bad_row'),
    });
    const notices = await train(`${args}, on_bad_row => 'skip', target_score => 0.01`);
    expect(notices.join('\n')).toContain('rows left out: 1, the first of them: Key (id)=(999)');
  });

  test('objects are found, in pixels of the image', async () => {
    await train(
      `'object_detection', 'shelf', families => '{yolo}', knobs => '{"side": 96, "width": 16, "batch": 8, "epochs": 5}'`,
    );
    const found = await rafiki.db.query<{ label: string; fits: boolean }>(
      `select d.label, d.w > 0 and d.h > 0 and d.score between 0 and 1 as fits
       from shelf s, rafiki_detect('shelf_object_detection', s.image, 0.05) d`,
    );
    expect(found.length).toBeGreaterThan(0);
    expect(found.every(({ fits }) => fits)).toBe(true);
    expect(
      await rafiki.db.query(
        `select count(*)::int as rows from shelf
       where rafiki_predict('shelf_object_detection', image)::jsonb is distinct from (
         select coalesce(jsonb_agg(to_jsonb(d)), '[]') from rafiki_detect('shelf_object_detection', image) d)`,
      ),
    ).toEqual([{ rows: 0 }]);
    expect(await failureOf(rafiki.db, `select rafiki_detect('m', '\\x00')`)).toMatchObject({ code: '42809' });
  });
});
