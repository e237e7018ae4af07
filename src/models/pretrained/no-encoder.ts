import { InvalidState } from '../../errors/errors.ts';

export const noEncoder = (): InvalidState =>
  new InvalidState('the study has no pretrained encoder', {
    detail: 'It was removed, or its owner may no longer use it.',
    hint: 'select * from rafiki.encoders shows those that there are.',
  });
