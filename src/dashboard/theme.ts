/** Runs before the first paint, so that a page in the chosen theme never shows the other one. */
const chosen = localStorage.getItem('rafiki.theme');
const isDark = chosen === 'dark' || (chosen !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
document.documentElement.dataset['theme'] = isDark ? 'dark' : 'light';
