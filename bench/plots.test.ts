import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bars, curves, distribution } from './plots.ts';

/** Each tag is closed, in order, and no text breaks out of its place. */
function isXml(svg: string): void {
  const open: string[] = [];
  const rest = svg.replaceAll(
    /<(\/?)(\w+)((?: [\w:-]+="[^"<]*")*)(\/?)>/g,
    (_, end, name, _attributes, alone) => {
      if (end) assert.equal(open.pop(), name);
      else if (!alone) open.push(name);
      return '';
    },
  );
  assert.deepEqual(open, []);
  assert.doesNotMatch(rest, /[<>]|&(?!amp;|lt;|quot;)/);
}

test('curves lie within the plot, whatever their values are', () => {
  for (const log of [false, true])
    for (const values of [[0.5], [1, 2, 3], [0.01, 20_000], [7, 7, 7]]) {
      const points = values.map((value, at) => [value, at] as const);
      const svg = curves('a < b & "c"', { label: 'x', log }, { label: 'y' }, [{ name: 'one', points }]);
      isXml(svg);
      const path = /class="line"[^>]* d="M([^"]*)"/.exec(svg)?.[1] ?? '';
      for (const point of path.split('L')) {
        const [x = Number.NaN, y = Number.NaN] = point.split(' ').map(Number);
        assert.ok(x >= 60 && x <= 740, `x ${x} of ${values}`);
        assert.ok(y >= 50 && y <= 300, `y ${y} of ${values}`);
      }
    }
});

test('bars are as long as the sum of their parts', () => {
  const svg = bars('CPU', 'µs', [
    {
      name: 'before',
      parts: [
        { name: 'main', value: 6 },
        { name: 'pool', value: 4 },
      ],
    },
    {
      name: 'now',
      parts: [
        { name: 'main', value: 3 },
        { name: 'pool', value: 2 },
      ],
    },
  ]);
  isXml(svg);
  const widths = [...svg.matchAll(/<rect x="[\d.]+" y="\d+" width="([\d.]+)" height="34"/g)].map(
    ([, width]) => Number(width),
  );
  assert.equal(widths.length, 4);
  const [a = 0, b = 0, c = 0, d = 0] = widths;
  assert.ok(Math.abs(a + b - 2 * (c + d)) < 1, widths.join(' '));
});

test('a distribution rises to 100 %', () => {
  const { points } = distribution('node', [Float64Array.from({ length: 5_000 }, (_, at) => 5_000 - at)]);
  assert.ok(points.length <= 400);
  assert.deepEqual(points[points.length - 1], [5_000, 100]);
  for (const [at, [x, y]] of points.entries()) {
    const before = points[at - 1];
    assert.ok(!before || (x >= before[0] && y >= before[1]));
  }
});
