/** Node.js 24 has it; TypeScript's library does not know it yet. */
declare global {
  interface JSON {
    rawJSON(text: string): unknown;
  }
}

/**
 * A number as JSON text that JSON.stringify writes as it stands: ids above 2^53, and decimals without exponent, which a
 * double would lose.
 */
export const exact: (text: string) => unknown = JSON.rawJSON;

/** `units` · 10^-scale in plain notation, without needless zeros: (1234, 6) → `0.001234`. `units` is a whole number >= 0. */
export function decimalText(units: number, scale: number): string {
  const digits = String(units).padStart(scale + 1, '0');
  const whole = digits.slice(0, digits.length - scale);
  const fraction = digits.slice(digits.length - scale).replace(/0+$/, '');
  return fraction === '' ? whole : `${whole}.${fraction}`;
}

/** Bytes as megabytes (10^6) with up to six decimals. */
export const megabytes = (bytes: number) => exact(decimalText(bytes, 6));
