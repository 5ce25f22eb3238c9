/** Plots as SVG, without a library: three kinds are all that the bench draws. They follow the reader's light or dark theme. */
export interface Plot {
  /** Part of the file's name. */
  readonly name: string;
  /** A description, for readers who do not see the plot. */
  readonly title: string;
  readonly svg: string;
}

interface Series {
  readonly name: string;
  /** In order of x. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

interface Axis {
  readonly label: string;
  /** Powers of ten instead of equal steps. */
  readonly log?: boolean;
}

interface Bar {
  readonly name: string;
  readonly parts: readonly { readonly name: string; readonly value: number }[];
}

const WIDTH = 760;
const LEFT = 64;
const RIGHT = 24;
const TOP = 56;
const PLOT_HEIGHT = 240;
const BAR_HEIGHT = 34;
/** They differ in lightness as well, for those who do not tell the hues apart. */
const COLOURS = ['#2b6cb0', '#dd8a2e', '#2f855a', '#b83280', '#718096'];
/** More points than pixels show nothing more. */
const MOST_POINTS = 400;

/** Lines over a common axis. */
export function curves(title: string, x: Axis, y: Axis, series: readonly Series[]): string {
  const all = series.flatMap(({ points }) => points);
  const [fromX, toX] = extent(
    all.map(([at]) => at),
    x.log,
  );
  const toY = niceTop(Math.max(...all.map(([, at]) => at)));
  const scale = (value: number) => (x.log ? Math.log10(Math.max(value, fromX)) : value);
  const placeX = (value: number) =>
    LEFT + ((scale(value) - scale(fromX)) / (scale(toX) - scale(fromX) || 1)) * (WIDTH - LEFT - RIGHT);
  const placeY = (value: number) => TOP + PLOT_HEIGHT - (value / toY) * PLOT_HEIGHT;
  const bottom = TOP + PLOT_HEIGHT;
  const grid = [
    ...ticks(0, toY).map(
      (tick) =>
        `<path class="grid" d="M${LEFT} ${px(placeY(tick))}H${WIDTH - RIGHT}"/>` +
        text(LEFT - 8, placeY(tick) + 4, shown(tick), 'end'),
    ),
    ...(x.log ? powers(fromX, toX) : ticks(fromX, toX)).map(
      (tick) =>
        `<path class="grid" d="M${px(placeX(tick))} ${TOP}V${bottom}"/>` +
        text(placeX(tick), bottom + 18, shown(tick), 'middle'),
    ),
  ];
  const lines = series.map(({ points }, at) => {
    const path = thinned(points).map(([px0, py0]) => `${px(placeX(px0))} ${px(placeY(py0))}`);
    return `<path class="line" stroke="${colour(at)}" d="M${path.join('L')}"/>`;
  });
  const labels = [
    text((LEFT + WIDTH - RIGHT) / 2, bottom + 38, x.label, 'middle'),
    text(LEFT, TOP - 10, y.label, 'start'),
  ];
  return page(title, bottom + 76, [
    ...grid,
    ...lines,
    ...labels,
    legend(
      series.map(({ name }) => name),
      bottom + 62,
    ),
  ]);
}

/** Horizontal bars, each the sum of its parts. */
export function bars(title: string, unit: string, rows: readonly Bar[]): string {
  const left = 150;
  const sums = rows.map(({ parts }) => parts.reduce((sum, { value }) => sum + value, 0));
  const most = Math.max(...sums) || 1;
  const width = WIDTH - left - RIGHT - 70;
  const parts = rows.flatMap((row) => row.parts).filter(({ value }) => value > 0);
  const names = [...new Set(parts.map(({ name }) => name))];
  const drawn = rows.map((bar, row) => {
    const y = TOP + row * (BAR_HEIGHT + 12);
    let at = left;
    const pieces = bar.parts
      .filter(({ value }) => value > 0)
      .map((part) => {
        const length = (part.value / most) * width;
        const piece = `<rect x="${px(at)}" y="${y}" width="${px(length)}" height="${BAR_HEIGHT}" fill="${colour(names.indexOf(part.name))}"><title>${escaped(part.name)}: ${shown(part.value)} ${escaped(unit)}</title></rect>`;
        at += length;
        return piece;
      });
    const middle = y + BAR_HEIGHT / 2 + 4;
    return [
      text(left - 10, middle, bar.name, 'end'),
      ...pieces,
      text(at + 8, middle, `${shown(sums[row] as number)} ${unit}`, 'start'),
    ].join('');
  });
  const bottom = TOP + rows.length * (BAR_HEIGHT + 12);
  return page(title, bottom + 36, [...drawn, legend(names, bottom + 20)]);
}

/** The share of values that are no greater, for each value: of a distribution, its curve. */
export function distribution(name: string, values: readonly Float64Array[]): Series {
  const all = Float64Array.from(values.flatMap((each) => [...each])).sort();
  return {
    name,
    points: thinned([...all].map((value, at) => [value, (100 * (at + 1)) / all.length] as const)),
  };
}

/** The ends of a curve always stay. */
function thinned<T>(points: readonly T[]): readonly T[] {
  if (points.length <= MOST_POINTS) return points;
  const step = (points.length - 1) / (MOST_POINTS - 1);
  return Array.from({ length: MOST_POINTS }, (_, at) => points[Math.round(at * step)] as T);
}

function extent(values: readonly number[], log?: boolean): [number, number] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  if (!log) return [Math.min(0, least), most || 1];
  return [10 ** Math.floor(Math.log10(Math.max(least, 1e-3))), 10 ** Math.ceil(Math.log10(most || 1))];
}

/** The next 1, 2 or 5 times a power of ten. */
function niceTop(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= value) as number;
}

function ticks(from: number, to: number): number[] {
  const step = niceTop((to - from) / 6);
  const found: number[] = [];
  for (let tick = Math.ceil(from / step) * step; tick <= to + step / 1e6; tick += step) found.push(tick);
  return found;
}

function powers(from: number, to: number): number[] {
  const found: number[] = [];
  for (let tick = from; tick <= to * 1.001; tick *= 10) found.push(tick);
  return found;
}

function legend(names: readonly string[], y: number): string {
  let x = LEFT;
  return names
    .map((name, at) => {
      const entry = `<rect x="${px(x)}" y="${y - 10}" width="12" height="12" fill="${colour(at)}"/>${text(x + 18, y, name, 'start')}`;
      x += 30 + name.length * 6.4;
      return entry;
    })
    .join('');
}

function page(title: string, height: number, parts: readonly string[]): string {
  const style =
    'text{font:13px system-ui,sans-serif;fill:#24292f}.title{font-size:15px;font-weight:600}.grid{stroke:#8884;fill:none}.line{fill:none;stroke-width:2}' +
    '@media(prefers-color-scheme:dark){text{fill:#e6edf3}}';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="title desc">`,
    `<title id="title">${escaped(title)}</title>`,
    '<desc id="desc">Drawn by the bench; the figures are in the table of its scenario.</desc>',
    `<style>${style}</style>`,
    `<text class="title" x="${LEFT}" y="24">${escaped(title)}</text>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

function text(x: number, y: number, words: string, anchor: 'start' | 'middle' | 'end'): string {
  return `<text x="${px(x)}" y="${px(y)}" text-anchor="${anchor}">${escaped(words)}</text>`;
}

const colour = (at: number) => COLOURS[at % COLOURS.length] as string;
const px = (value: number) => String(Math.round(value * 10) / 10);
const escaped = (words: string) =>
  words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

function shown(value: number): string {
  if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(3)));
}
