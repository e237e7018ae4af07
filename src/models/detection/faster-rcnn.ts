import type { Value } from '../../graph/graph.ts';
import type { Network, Values } from '../../graph/network.ts';
import { add } from '../../graph/ops/arithmetic.ts';
import type { Tape } from '../../graph/tape.ts';
import type { NetworkFamily } from '../family.ts';
import { countKnob } from '../knobs.ts';
import { type BackboneSize, backbone, pyramidChannels } from './backbone.ts';
import { type DetectionTask, detectionTask, detector } from './detector.ts';
import { backboneKnobs, detectionSpace, detectorBasics } from './knobs.ts';
import { regionHead } from './region-head.ts';
import { regionProposals } from './region-proposals.ts';

/**
 * Faster R-CNN (Ren et al. 2015, figure 2): a region proposal network finds regions with objects, and a second stage
 * classifies each region and corrects its box. Changed for few images: a feature pyramid in place of a
 * pretrained VGG, proposals from its stride 16 and regions pooled from its stride 8 by RoIAlign (He et al. 2017); focal loss for
 * the proposals in place of sampling 256 anchors; both stages in one graph and one step, a fixed number of proposals each.
 */
export const fasterRcnn: NetworkFamily = {
  name: 'faster_rcnn',
  title: 'Faster R-CNN: proposes regions, then classifies each',
  space: () =>
    detectionSpace()
      .addCategoricalKnob('proposals', [32, 48, 64, 96], { group: 'architecture', initial: 48 })
      .addCategoricalKnob('hidden', [128, 256, 512], { group: 'architecture', initial: 256 }),
  network: (features, knobs) =>
    fasterRcnnNetwork({
      ...detectionTask(features, knobs),
      ...backboneKnobs(knobs),
      proposals: countKnob(knobs, 'proposals'),
      hidden: countKnob(knobs, 'hidden'),
    }),
  ...detectorBasics,
};

interface FasterRcnnSize extends DetectionTask, BackboneSize {
  /** Regions that the second stage classifies. */
  proposals: number;
  /** Width of its two layers. */
  hidden: number;
}

function fasterRcnnNetwork(size: FasterRcnnSize): Network {
  const { image } = size;
  const channels = pyramidChannels(size);
  const body = backbone(size);
  const first = regionProposals({ channels, side: image.side, proposals: size.proposals });
  const second = regionHead({ channels, ...size });

  const features = (t: Tape, inputs: Values, weights: Values): { fine: Value; middle: Value } => {
    const pyramid = body.features(t, inputs, { weights, image });
    return { fine: pyramid[8], middle: pyramid[16] };
  };

  return detector({
    task: size,
    parameters: { ...body.parameters, ...first.parameters, ...second.parameters },
    loss(t, { inputs, objects, weights }) {
      const { fine, middle } = features(t, inputs, weights);
      const proposed = first.propose(t, middle, weights);
      const regions = second.trainingRegions(t.graph, proposed.regions, objects);
      return add(t, first.loss(t, proposed, objects), second.loss(t, fine, { regions, objects, weights }));
    },
    predict(t, inputs, weights) {
      const { fine, middle } = features(t, inputs, weights);
      const { regions } = first.propose(t, middle, weights);
      return second.predict(t, fine, { regions, weights });
    },
  });
}
