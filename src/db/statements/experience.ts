import { WARM_SHARE } from '../../domain/warm-start.ts';
import type { Queryable } from '../database.ts';

/** Studies that count as experience, and how many of other sources must agree before they change the order of the families. */
const EXPERIENCE = { studies: 20, others: 3 };

const experience = `
  with earlier as (
    select e.id, (e.source, e.target) = (s.source, s.target) as same, array(select jsonb_object_keys(e.knobs)) as fixed
    from rafiki.study s join rafiki.study e on e.owner = s.owner and e.task = s.task and e.metric = s.metric
      and e.state = 'completed' and e.id < s.id
    where s.id = $1 order by same desc, e.id desc limit $2
  ), scored as (
    select e.id, e.same, t.family, t.score, t.knobs - e.fixed as knobs, coalesce(t.warm_share, 0) < $4 as random
    from earlier e join rafiki.trial t on t.study_id = e.id
    where t.score is not null and t.state in ('completed', 'stopped')
  ), best as (
    select s.id, s.same, s.family, max(s.score) as score,
      (array_agg(s.knobs order by s.score desc) filter (where s.random)) [1] as knobs
    from scored s group by s.id, s.same, s.family
  ), ranked as ( -- a single family has nothing to be compared with
    select b.*, max(b.score) over own - b.score as gap, count(*) over own as families from best b window own as (partition by b.id)
  ), family as (
    select r.family, avg(r.gap) as gap, (array_agg(r.knobs order by r.id desc) filter (where r.same)) [1] as knobs
    from ranked r where r.families > 1 group by r.family having bool_or(r.same) or count(*) >= $3
  )
  update rafiki.study set experience = (
    select coalesce(jsonb_agg(jsonb_build_object('family', f.family, 'knobs', f.knobs) order by f.gap, f.family), '[]') from family f)
  where id = $1 and experience is null`;

/** Stores what earlier studies of the owner, with the same task and metric, found out about families: how far each was from the best. A study with a seed has none. */
export async function setExperience(on: Queryable, studyId: number): Promise<void> {
  await on.query(experience, [studyId, EXPERIENCE.studies, EXPERIENCE.others, WARM_SHARE]);
}
