import { describe, expect, test } from 'vitest';
import {
  baselineNotice,
  type DeploymentGoal,
  reasonNotToDeploy,
  type ScoredVersion,
} from '../../../src/coordinator/may-deploy.ts';

const rows = Buffer.of(1);
const aim = (changes: Partial<DeploymentGoal> = {}): DeploymentGoal => ({
  ...{ id: 7, deploy: true, replace: false, incumbentId: 1, incumbentScore: 0.8, incumbentTrained: null },
  incumbentHash: rows,
  ...changes,
});
const made = (changes: Partial<ScoredVersion> = {}): ScoredVersion => ({
  ...{ version: 2, score: 0.9, scoredRows: 40, baselineScore: 0.5, deployedId: 1, furtherColumns: [] },
  validationHash: rows,
  ...changes,
});

describe('a version replaces', () => {
  test.each([
    ['nothing', aim({ incumbentId: null, incumbentScore: null }), made({ deployedId: null })],
    ['one that was taken out of service', aim(), made({ deployedId: null })],
    ['a worse one', aim(), made()],
    ['one as good', aim({ incumbentScore: 0.9 }), made()],
    [
      'one for another task that was to be replaced',
      aim({ incumbentId: null, incumbentScore: null, replace: true }),
      made(),
    ],
    [
      'one that reads other columns and was to be replaced',
      aim({ incumbentScore: null, replace: true }),
      made({ furtherColumns: ['z'] }),
    ],
  ])('%s', (_what, study, version) => expect(reasonNotToDeploy(study, version)).toBeNull());
});

describe('a version does not replace', () => {
  test.each([
    [
      'one that reads fewer columns',
      aim(),
      made({ furtherColumns: ['guess', 'z'] }),
      /it reads columns that the deployed one does not \(guess, z\), and callers may not give them;/,
    ],
    [
      'a better one',
      aim({ incumbentScore: 0.9001 }),
      made(),
      /worse \(0\.9000 against 0\.9001\) than the deployed one;/,
    ],
    [
      'a better one, which knows some of the rows',
      aim({ incumbentScore: 1, incumbentTrained: 32 }),
      made(),
      /worse \(0\.9000 against 1\.0000\) than the deployed one, which was trained on 32 of these 40 rows;/,
    ],
    ['one that could not be scored', aim({ incumbentScore: null }), made(), /could not be scored/],
    [
      'one that was scored on other rows',
      aim(),
      made({ validationHash: Buffer.of(2) }),
      /could not be scored on the same/,
    ],
    ['one that was deployed meanwhile', aim(), made({ deployedId: 3 }), /another version/],
    ['one that was deployed first meanwhile', aim({ incumbentId: null }), made(), /another version/],
    ['one as good, where neither has learnt anything', aim({ incumbentScore: 0.5 }), made({ score: 0.5 }), /no better/],
    ['none, if deploy is false', aim({ deploy: false }), made({ deployedId: null }), /as requested/],
  ])('%s', (_what, study, version, reason) => {
    expect(reasonNotToDeploy(study, version)).toMatch(reason);
    expect(reasonNotToDeploy(study, version)).toContain('rafiki_deploy(7)');
  });
});

test('a version no better than a constant answer causes a notice', () => {
  expect(baselineNotice({ score: 0.5001, baselineScore: 0.5 })).toBeNull();
  expect(baselineNotice({ score: 0.5, baselineScore: 0.5 })).toBe(
    'Its score 0.5000 is no better than that of a constant prediction, 0.5000.',
  );
});
