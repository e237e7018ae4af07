import type { Database } from '../../src/db/database.ts';

/** A table `customers` of 400 rows, with columns of all kinds, and of types that no kind reads. */
export async function createCustomers(db: Database): Promise<void> {
  await db.query(`
    create type mood as enum ('glad', 'sad');
    create domain years as int;
    create table customers as
      select i as id, md5(i::text) as code, (20 + i % 50)::years as age, (array['Bern', 'Basel', null])[1 + i % 3] as city,
        (array['glad', 'sad'])[1 + i % 2]::mood as mood, i % 5 = 0 as member, timestamptz '2026-01-01 12:00+01' + i * interval '1 day' as since,
        make_interval(days => i % 90) as stayed, 1e6 + 10 * (i % 50) as spends, '\\x00'::bytea as photo, point(i, i) as place, null::text as note,
        case when i % 50 > 25 then 'yes' else 'no' end as buys
      from generate_series(1, 400) i;
    alter table customers add primary key (id)`);
}
