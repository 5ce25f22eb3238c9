/**
 * Values of JSON with exact numbers: ids of 64 bits and decimals pass through a mapping without being rounded. Only numbers
 * that a double may round are kept as their text, because the others need no second look.
 */
export type Value =
  | null
  | boolean
  | string
  | number
  | Exact
  | readonly Value[]
  | { readonly [name: string]: Value };

/** A number as it is written in JSON. */
export class Exact {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A number that a double may not hold. Other texts of digits only cost a slower look. */
const LONG_NUMBER = /[\d.]{16}|\d[eE][+-]?\d{3}/;

/** @throws SyntaxError */
export function parseExact(text: string): Value {
  return (LONG_NUMBER.test(text) ? JSON.parse(text, keepDigits) : JSON.parse(text)) as Value;
}

function keepDigits(
  _: string,
  value: unknown,
  ...[context]: readonly { readonly source?: string }[]
): unknown {
  const source = context?.source;
  return typeof value === 'number' && source !== undefined && String(value) !== source
    ? new Exact(source)
    : value;
}

/** The JSON text of a value. */
export function writeExact(value: Value): string {
  if (value instanceof Exact) return value.text;
  if (Array.isArray(value)) return `[${value.map(writeExact).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  let text = '{';
  for (const [name, member] of Object.entries(value as { readonly [name: string]: Value })) {
    if (text.length > 1) text += ',';
    text += `${JSON.stringify(name)}:${writeExact(member)}`;
  }
  return `${text}}`;
}

/** The text of a scalar; undefined for a null, an empty text, a list or an object. */
export function scalarText(value: Value | undefined): string | undefined {
  if (value instanceof Exact) return value.text;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  return text === '' ? undefined : text;
}

/** A decimal number: `digits` × 10^-`scale`. */
export interface Decimal {
  readonly digits: bigint;
  readonly scale: number;
}

/** More places than any amount has; an exponent beyond them would take memory without end. */
const MOST_PLACES = 40;

/**
 * Databases write `.5` and `5.` too.
 * @returns undefined if the text is not a number, or one of absurd length
 */
export function readDecimal(text: string): Decimal | undefined {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text) ?? [];
  if (whole + fraction === '' || whole.length + fraction.length > 2 * MOST_PLACES) return undefined;
  const scale = fraction.length - Number(exponent);
  if (Math.abs(scale) > MOST_PLACES) return undefined;
  const digits = BigInt(`${sign === '-' ? '-' : ''}${whole}${fraction}`);
  return scale < 0 ? { digits: digits * 10n ** BigInt(-scale), scale: 0 } : { digits, scale };
}

export function add(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(a.scale, b.scale);
  return { digits: at(a, scale) + at(b, scale), scale };
}

export function subtract(a: Decimal, b: Decimal): Decimal {
  return add(a, { digits: -b.digits, scale: b.scale });
}

export function multiply(a: Decimal, b: Decimal): Decimal {
  return { digits: a.digits * b.digits, scale: a.scale + b.scale };
}

export const ZERO: Decimal = { digits: 0n, scale: 0 };
export const sign = ({ digits }: Decimal): number => (digits < 0n ? -1 : digits > 0n ? 1 : 0);

function at({ digits, scale }: Decimal, wanted: number): bigint {
  return digits * 10n ** BigInt(wanted - scale);
}

/** In plain notation, without zeros at the end of the fraction. */
export function writeDecimal({ digits, scale }: Decimal): Exact {
  const text = (digits < 0n ? -digits : digits).toString().padStart(scale + 1, '0');
  const whole = text.slice(0, text.length - scale);
  const fraction = text.slice(text.length - scale).replace(/0+$/, '');
  return new Exact(`${digits < 0n ? '-' : ''}${whole}${scale > 0 && fraction !== '' ? `.${fraction}` : ''}`);
}
