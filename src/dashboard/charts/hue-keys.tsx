import { hueOf } from './axes.ts';

/** Which colour stands for which family. One family needs no key. */
export const HueKeys = ({ families }: { families: readonly string[] }) =>
  families.length < 2 ? null : (
    <ul class="keys">
      {families.map((family) => (
        <li key={family}>
          <i style={{ background: `var(--${hueOf(families, family)})` }} />
          {family}
        </li>
      ))}
    </ul>
  );
