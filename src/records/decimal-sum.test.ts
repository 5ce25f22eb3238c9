import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAmountAt } from './decimal.ts';
import { DecimalSum } from './decimal-sum.ts';
import { decimal } from './fields.ts';

function sum(...numbers: readonly string[]): string {
  const total = new DecimalSum();
  for (const number of numbers) {
    const bytes = Buffer.from(`[${number}]`);
    total.addFrom(bytes, 1, bytes.length);
  }
  return total.text;
}

/** As scaled integers, with BigInt alone. */
function exactly(numbers: readonly string[]): bigint {
  return numbers.reduce((total, number) => {
    const [, sign, whole, fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(number) as RegExpExecArray;
    const units = BigInt((whole as string) + fraction.padEnd(20, '0'));
    return total + (sign ? -units : units);
  }, 0n);
}

test('sums are exact where doubles are not', () => {
  assert.equal(sum('0.1', '0.2'), '0.3');
  assert.equal(sum(...Array<string>(10_000).fill('0.0000000001')), '0.000001');
  assert.equal(sum('9007199254740993', '0.0000000001'), '9007199254740993.0000000001');
  assert.equal(sum('900719.9254740993', '900719.9254740993', '0.00000000005'), '1801439.85094819865');
  assert.equal(
    sum(...Array<string>(3).fill('123456789012345678901234567890.5')),
    '370370367037037036703703703671.5',
  );
});

test('all ways to write a number are read; what is none adds nothing', () => {
  assert.equal(sum('1.215e-05', '1e3', '2E+2', '-0.5', '0', '-0', 'null', '1.50'), '1201.00001215');
  assert.equal(sum('-3', '1'), '-2');
  assert.equal(sum(), '0');
  assert.equal(sum('0000000'), '0');
});

test('a number beyond all measure costs no time, and is left out', () => {
  assert.equal(sum('1e999999', '1e-999999', '5'), '5');
});

/** Forms that a platform could write, however odd. */
const AMOUNTS = [
  '-0',
  '0e400',
  '-0.0E-999',
  '1e63',
  '-9e-64',
  `${'9'.repeat(64)}.${'9'.repeat(64)}`,
  `1.5${'0'.repeat(200)}`,
  `0.${'0'.repeat(60)}1234e4`,
  `1${'0'.repeat(90)}e-100`,
  `0.${'0'.repeat(90)}7e+0100`,
  '100000000000000e-70',
];

test('what ingest takes as a volume or a cost, the ledger counts to the last digit, and others write without an exponent', () => {
  const digitsOf = (text: string) => {
    const [, sign, whole = '', fraction = '', exponent = '0'] =
      /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
    const units = BigInt(whole + fraction);
    if (units === 0n) return 0n;
    const value = units * 10n ** BigInt(Number(exponent) - fraction.length + 400);
    return sign ? -value : value;
  };
  for (const amount of AMOUNTS) {
    const bytes = Buffer.from(amount);
    assert.ok(isAmountAt(bytes, 0, bytes.length), amount);
    assert.equal(digitsOf(sum('1', amount)), digitsOf('1') + digitsOf(amount), amount);
    const written = decimal(amount, 0);
    assert.match(written, /^-?\d+(\.\d+)?$/, amount);
    assert.equal(digitsOf(written), digitsOf(amount));
  }
  for (const other of ['1e64', `1${'0'.repeat(64)}`, '1e-65', '12e-65', `0.${'0'.repeat(64)}1`, '1e400']) {
    const bytes = Buffer.from(other);
    assert.ok(!isAmountAt(bytes, 0, bytes.length), other);
  }
});

test('of many random numbers, in one sum or in parts, or read again from their text', () => {
  let seed = 7;
  const next = () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return seed / 0x80000000;
  };
  for (let round = 0; round < 50; round++) {
    const numbers = Array.from({ length: 200 }, () => {
      const whole = Math.floor(next() * 10 ** Math.floor(next() * 15)).toString();
      const decimals = Math.floor(next() * 18);
      const fraction = Array.from({ length: decimals }, () => Math.floor(next() * 10)).join('');
      return `${next() < 0.2 ? '-' : ''}${whole}${fraction ? `.${fraction}` : ''}`;
    });
    const whole = sum(...numbers);
    assert.equal(exactly([whole]), exactly(numbers));
    const parts = DecimalSum.of(sum(...numbers.slice(0, 90)));
    parts.add(DecimalSum.of(sum(...numbers.slice(90))));
    assert.equal(parts.text, whole);
  }
});
