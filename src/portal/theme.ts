import { Alert, Badge, type CSSVariablesResolver, createTheme, Modal } from '@mantine/core';

export const theme = createTheme({
  primaryColor: 'indigo',
  primaryShade: { light: 7, dark: 7 },
  defaultRadius: 'md',
  respectReducedMotion: true,
  fontFamily: 'Inter, system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SFMono-Regular", Menlo, Consolas, "DejaVu Sans Mono", monospace',
  headings: { fontWeight: '650', sizes: { h1: { fontSize: 'clamp(1.5rem, 5vw, 2rem)' } } },
  components: {
    // A chip says one word, which is never cut.
    Badge: Badge.extend({ styles: { root: { minWidth: 'max-content' } } }),
    // Its titles are in the colour of the alert, which has too little contrast with the page.
    Alert: Alert.extend({ styles: { title: { color: 'var(--mantine-color-text)' } } }),
    // Inside the main part of the page, where the header of a dialog is not a second header of the page.
    Modal: Modal.extend({ defaultProps: { portalProps: { target: '#content' } } }),
  },
});

/** Greys with enough contrast for small text, in both schemes. */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-dimmed': '#5b636b',
    '--mantine-color-placeholder': '#6b737b',
    '--mantine-color-error': '#c92a2a',
    '--portal-canvas': '#f6f7f9',
    '--portal-chart': '#4263eb',
    '--portal-chart-bad': '#e03131',
    '--portal-line': '#dee2e6',
  },
  dark: {
    '--mantine-color-dimmed': '#a9adb5',
    '--mantine-color-placeholder': '#8f949c',
    '--mantine-color-error': '#ff8787',
    '--mantine-color-anchor': '#91a7ff',
    '--portal-canvas': '#1a1b1e',
    '--portal-chart': '#748ffc',
    '--portal-chart-bad': '#ff6b6b',
    '--portal-line': '#3b3c40',
  },
});
