import { useState } from 'preact/hooks';
import { chooseTheme, type ThemeChoice, themeChoice } from '../state/theme-choice.ts';

const order: readonly ThemeChoice[] = ['system', 'light', 'dark'];
const shapes: Readonly<Record<ThemeChoice, string>> = {
  system: 'M8 1.5a6.5 6.5 0 1 0 0 13zM8 1.5a6.5 6.5 0 0 1 0 13',
  light:
    'M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6M8 1v2M8 13v2M1 8h2M13 8h2M3 3l1.5 1.5M11.5 11.5 13 13M13 3l-1.5 1.5M4.5 11.5 3 13',
  dark: 'M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7z',
};

/** Goes on to the next theme: that of the system, light, dark. */
export function ThemeSwitch() {
  const [choice, setChoice] = useState(themeChoice());
  const next = order[(order.indexOf(choice) + 1) % order.length] ?? 'system';
  const change = (): void => {
    chooseTheme(next);
    setChoice(next);
  };
  return (
    <button
      type="button"
      class="plain"
      onClick={change}
      aria-label={`Theme: ${choice}. Change to ${next}`}
      title={`Theme: ${choice}`}
    >
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <path
          d={shapes[choice]}
          fill="none"
          stroke="currentColor"
          stroke-width="1.4"
          stroke-linecap="round"
          stroke-linejoin="round"
        />
        {choice === 'system' && <path d="M8 1.5a6.5 6.5 0 0 1 0 13z" fill="currentColor" />}
      </svg>
    </button>
  );
}
