/** Where the fingerprint of a trusted browser lies. It is random, so it says nothing of the browser or its user. */
const KEY = 'simstream.device';
const BYTES = 24;

/** The browser as a trusted device. Without a storage it has no fingerprint from one login to the next. */
export const browserDevice = {
  get: (): string | undefined => stored() ?? undefined,
  make: (): string => {
    const known = stored();
    if (known !== null) return known;
    const bytes = crypto.getRandomValues(new Uint8Array(BYTES));
    const fingerprint = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    try {
      window.localStorage.setItem(KEY, fingerprint);
    } catch {
      // The browser keeps nothing: the next login asks for a code again.
    }
    return fingerprint;
  },
};

function stored(): string | null {
  try {
    return window.localStorage.getItem(KEY);
  } catch {
    return null;
  }
}
