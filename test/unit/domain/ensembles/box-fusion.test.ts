import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Detection, intersectionOverUnion } from '../../../../src/domain/average-precision.ts';
import { type FoundByMember, fuseBoxes } from '../../../../src/domain/ensembles/box-fusion.ts';

const box = (x: number, score: number, label = 0): Detection => ({ label, score, x, y: 0, w: 100, h: 100 });

/**
 * The published algorithm (Solovyev et al. 2021, section 3), by lists of boxes: each box joins the cluster whose fused box it overlaps
 * most, and the fused box is then computed anew from all boxes of the cluster.
 */
function reference(members: readonly FoundByMember[]): Detection[] {
  const total = members.reduce((sum, { weight }) => sum + weight, 0);
  const boxes = members
    .flatMap(({ found, weight }, member) => found.map((one) => ({ ...one, weighted: one.score * weight, member })))
    .sort((a, b) => b.weighted - a.weighted);
  const clusters: (typeof boxes)[] = [];
  const fused = (cluster: typeof boxes): Detection => {
    const mass = cluster.reduce((sum, { weighted }) => sum + weighted, 0);
    const mean = (side: 'x' | 'y' | 'w' | 'h'): number =>
      cluster.reduce((sum, one) => sum + one.weighted * one[side], 0) / mass;
    const best = members.map((_, m) =>
      Math.max(0, ...cluster.filter(({ member }) => member === m).map((one) => one.weighted)),
    );
    const score = best.reduce((sum, value) => sum + value, 0) / total;
    return { label: cluster[0]!.label, score, x: mean('x'), y: mean('y'), w: mean('w'), h: mean('h') };
  };
  for (const one of boxes) {
    const overlaps = clusters.map((cluster) => {
      const object = fused(cluster);
      return object.label === one.label ? intersectionOverUnion(object, one) : 0;
    });
    const max = Math.max(0, ...overlaps);
    if (max > 0.55) clusters[overlaps.indexOf(max)]!.push(one);
    else clusters.push([one]);
  }
  return clusters.map(fused).sort((a, b) => b.score - a.score);
}

describe('weighted box fusion', () => {
  it('takes the mean place of boxes that overlap, weighted by score and member', () => {
    const [fused, ...others] = fuseBoxes([
      { found: [box(0, 0.9)], weight: 2 },
      { found: [box(10, 0.6)], weight: 1 },
    ]);
    expect(others).toEqual([]);
    expect(fused?.x).toBeCloseTo((0.6 * 10) / (1.8 + 0.6), 9);
    expect(fused?.score).toBeCloseTo((1.8 + 0.6) / 3, 9);
  });

  it('lowers the score of what not all members have found', () => {
    const found = fuseBoxes([
      { found: [box(0, 0.9), box(500, 0.8)], weight: 1 },
      { found: [box(0, 0.7)], weight: 1 },
    ]);
    expect(found.map(({ score }) => Number(score.toFixed(6)))).toEqual([0.8, 0.4]);
  });

  it('keeps classes apart, and leaves a single member as it is', () => {
    const alone = [box(0, 0.9), box(2, 0.5, 1)];
    expect(fuseBoxes([{ found: alone, weight: 0.3 }])).toEqual(alone);
    const two = [
      { found: [box(0, 0.9)], weight: 1 },
      { found: [box(0, 0.9, 1)], weight: 1 },
    ];
    expect(fuseBoxes(two)).toHaveLength(2);
    expect(fuseBoxes([])).toEqual([]);
  });

  it('agrees with the published algorithm', () => {
    const detection = fc.record({
      label: fc.integer({ min: 0, max: 1 }),
      score: fc.double({ min: 0.05, max: 1, noNaN: true }),
      ...{ x: fc.integer({ min: 0, max: 60 }), y: fc.integer({ min: 0, max: 60 }) },
      ...{ w: fc.integer({ min: 20, max: 60 }), h: fc.integer({ min: 20, max: 60 }) },
    });
    const member = fc.record({
      found: fc.array(detection, { maxLength: 6 }),
      weight: fc.double({ min: 0.1, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(member, { minLength: 2, maxLength: 3 }), (members) => {
        const [ours, theirs] = [fuseBoxes(members), reference(members)];
        expect(ours).toHaveLength(theirs.length);
        ours.forEach((one, i) => {
          for (const key of ['label', 'score', 'x', 'y', 'w', 'h'] as const)
            expect(one[key]).toBeCloseTo(theirs[i]![key], 6);
        });
      }),
    );
  });
});
