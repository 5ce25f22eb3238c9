import { digitsOf, isAmount, newDecimal, readDecimal } from './decimal.ts';

/**
 * An exact sum of the decimal numbers in records: costs have ten decimals, and a month of them must add up to the last one.
 *
 *  - Most numbers have at most 15 digits and ten decimals: they are added as whole multiples of 10^-10, in a double while the
 *    sum stays below 2^53 and is therefore exact, else in a BigInt.
 *  - Every other number goes through its digits.
 */
const DECIMALS = 10;
/** A double has all whole numbers up to here; two of at most half of it add up exactly. */
const HALF_EXACT = 2 ** 52;
/** Digits that fit a double together. */
const MOST_DIGITS = 15;
const POWERS = Array.from({ length: DECIMALS + 1 }, (_, exponent) => 10 ** exponent);

const PLUS = 0x2b;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const LOWER_E = 0x65;

/** Whether a byte belongs to a number, behind its first digits. */
function continues(byte: number): boolean {
  if (byte >= ZERO && byte <= NINE) return true;
  return byte === POINT || byte === MINUS || byte === PLUS || (byte | 0x20) === LOWER_E;
}

export class DecimalSum {
  /** Multiples of 10^-DECIMALS, less than 2^52 in size. */
  #small = 0;
  /** Multiples of 10^-scale. */
  #large = 0n;
  #scale = DECIMALS;

  /** @param text as `text` gives it */
  static of(text: string): DecimalSum {
    const sum = new DecimalSum();
    const bytes = Buffer.from(text);
    sum.addFrom(bytes, 0, bytes.length);
    return sum;
  }

  /**
   * Adds the JSON number that begins here; anything else (null) adds nothing.
   * @param end of the bytes that may be looked at
   */
  addFrom(bytes: Uint8Array, from: number, end: number): void {
    const negative = bytes[from] === MINUS;
    const first = negative ? from + 1 : from;
    let at = first;
    let value = 0;
    let point = 0;
    let byte = 0;
    for (; at < end; at++) {
      byte = bytes[at] as number;
      const digit = byte - ZERO;
      if (digit >= 0 && digit <= 9) value = value * 10 + digit;
      else if (byte === POINT) point = at;
      else break;
    }
    const decimals = point === 0 ? 0 : at - point - 1;
    // Exact: at most MOST_DIGITS digits and a point, and no exponent behind them.
    if (at - first <= MOST_DIGITS + 1 && decimals <= DECIMALS && (at === end || (byte | 0x20) !== LOWER_E)) {
      const units = value * (POWERS[DECIMALS - decimals] as number);
      if (units < HALF_EXACT) {
        this.#addSmall(negative ? -units : units);
        return;
      }
    }
    while (at < end && continues(bytes[at] as number)) at++;
    this.#addDigits(bytes, from, at);
  }

  add(other: DecimalSum): void {
    this.#addSmall(other.#small);
    this.#addLarge(other.#large, other.#scale);
  }

  /** In plain notation, without zeros at its end. */
  get text(): string {
    this.#settle();
    const negative = this.#large < 0n;
    const digits = (negative ? -this.#large : this.#large).toString().padStart(this.#scale + 1, '0');
    const whole = digits.slice(0, digits.length - this.#scale);
    const fraction = digits.slice(digits.length - this.#scale).replace(/0+$/, '');
    return `${negative ? '-' : ''}${whole}${fraction ? `.${fraction}` : ''}`;
  }

  #addSmall(units: number): void {
    this.#small += units;
    if (this.#small >= HALF_EXACT || this.#small <= -HALF_EXACT) this.#settle();
  }

  #settle(): void {
    if (this.#small === 0) return;
    const units = BigInt(this.#small);
    this.#small = 0;
    this.#addLarge(units, DECIMALS);
  }

  #addLarge(units: bigint, scale: number): void {
    if (units === 0n) return;
    if (scale > this.#scale) {
      this.#large *= 10n ** BigInt(scale - this.#scale);
      this.#scale = scale;
    }
    this.#large += units * 10n ** BigInt(this.#scale - scale);
  }

  /** Values that are not amounts are left out: ingest refuses them, but records of version 0.1 may have them. */
  #addDigits(bytes: Uint8Array, from: number, to: number): void {
    readDecimal(bytes, from, to, number);
    if (!isAmount(number)) return;
    const digits = digitsOf(number);
    const scale = digits.length - number.exponent;
    const units = BigInt(digits) * 10n ** BigInt(Math.max(0, -scale));
    this.#addLarge(number.sign < 0 ? -units : units, Math.max(0, scale));
  }
}

/** Belongs to the number that is being added. */
const number = newDecimal();
