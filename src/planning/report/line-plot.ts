/** Lines and steps over an axis of numbers, with reference lines across. */
import { curveLinear, curveStepBefore, line, symbol, symbolCircle, symbolSquare, symbolTriangle } from 'd3-shape';
import { drawXAxis, drawYAxis, makeAxis, plotArea, svg, textWidth, type Area, type Axis, type PlotSize } from './axes.js';
import { isKnown } from './figure-text.js';
import { Labels, type Place } from './labels.js';
import { markup, type Markup } from './markup.js';

export interface LinePoint {
  readonly x: number;
  /** null = there is none: a cross at the upper edge says so. */
  readonly y: number | null;
  /** All of the point in words: shown where it is pointed at. */
  readonly says: string;
}

export interface LineSeries {
  /** Colour, dashes and marker: the class `series-N` of the style sheet. */
  readonly style: 0 | 1 | 2;
  /** A step holds the value of the point at its right end; only a lone one has a marker. */
  readonly shape: 'line' | 'step';
  /** By rising x. */
  readonly points: readonly LinePoint[];
}

export interface ReferenceLine {
  /** `x`: upright, at a value of the x axis. */
  readonly axis: 'x' | 'y';
  readonly at: number;
  readonly text: string;
  /** The class of the style sheet. */
  readonly kind: 'goal' | 'knee' | 'today' | 'best';
}

export interface LinePlot {
  /** The only one of its page. */
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly xTitle: string;
  readonly yTitle: string;
  readonly yScale: 'linear' | 'log';
  /** Values of y are whole: no tick stands between. */
  readonly yIsWhole: boolean;
  readonly series: readonly LineSeries[];
  readonly references: readonly ReferenceLine[];
}

const MARKERS = [symbolCircle, symbolSquare, symbolTriangle];
const MARKER_AREA = 42;
/** No line leads to it. */
const LONE_MARKER_AREA = 100;
const MARKER_PX = 12;
const LABEL_GAP_PX = 6;
const ROW_PX = 17;

/** Points whose x is no finite number are left out; there must be one with an x and a y. */
export function linePlot(plot: LinePlot, size: PlotSize): Markup {
  const series = plot.series.map((one) => ({ ...one, points: one.points.filter(({ x }) => isKnown(x)) }));
  const references = plot.references.filter(({ at }) => isKnown(at));
  const [y, area, x] = axes(plot, series, references, size);
  const labels = new Labels(area);
  for (const point of series.flatMap(({ points }) => points)) {
    if (isKnown(point.y)) labels.avoid(x(point.x), y(point.y), MARKER_PX);
  }
  for (const { axis, at } of references) {
    if (axis === 'x') labels.avoid(x(at), (area.top + area.bottom) / 2, 2, area.bottom - area.top);
  }
  const marks = [
    drawYAxis(area, y, plot.yTitle),
    drawXAxis(area, x, plot.xTitle),
    references.map((reference) => drawReference(reference, area, x, y)),
    series.map((one) => drawSeries(one, area, x, y)),
    references.map((reference) => labels.put(reference.text, placesBeside(reference, area, x, y))),
  ];
  return svg(plot.id, size, plot.name, plot.description, marks);
}

function axes(
  plot: LinePlot,
  series: readonly LineSeries[],
  references: readonly ReferenceLine[],
  size: PlotSize,
): readonly [y: Axis, area: Area, x: Axis] {
  const valuesOf = (axis: 'x' | 'y', ofSeries: readonly (number | null)[]): number[] =>
    [...ofSeries, ...references.filter((reference) => reference.axis === axis).map(({ at }) => at)].filter(isKnown);
  const points = series.flatMap((one) => one.points);
  const xs = valuesOf(
    'x',
    points.map(({ x }) => x),
  );
  const ys = valuesOf(
    'y',
    points.map(({ y }) => y),
  );
  const positive = ys.filter((value) => value > 0);
  const scale = positive.length > 0 ? plot.yScale : 'linear';
  const y = {
    from: scale === 'log' ? Math.min(...positive) / 1.3 : Math.min(0, ...ys),
    to: Math.max(...ys) * (scale === 'log' ? 1.6 : 1.1),
    scale,
    isWhole: plot.yIsWhole,
    ticks: 5,
  };
  const x = { from: Math.min(0, ...xs), to: Math.max(...xs, 1), scale: 'linear', ticks: size.name === 'wide' ? 7 : 4 } as const;
  // Texts of ticks do not depend on pixels, but the pixels on the width of the texts.
  const texts = (range: typeof x | typeof y): Axis['ticks'] => makeAxis(range, [0, 1]).ticks;
  const area = plotArea(size, texts(y), texts(x).at(-1)?.text ?? '');
  return [makeAxis(y, [area.bottom, area.top]), area, makeAxis(x, [area.left, area.right])];
}

function drawSeries({ style, shape, points }: LineSeries, area: Area, x: Axis, y: Axis): Markup {
  const drawn = points.filter((point) => isKnown(point.y)).length;
  const path = line<LinePoint>()
    .defined((point) => isKnown(point.y))
    .x((point) => x(point.x))
    .y((point) => y(point.y ?? 0))
    .curve(shape === 'step' ? curveStepBefore : curveLinear)
    .digits(2);
  const marker = symbol(MARKERS[style], drawn === 1 ? LONE_MARKER_AREA : MARKER_AREA).digits(2);
  const markers = (shape === 'step' && drawn > 1 ? [] : points).map((point) =>
    isKnown(point.y)
      ? markup`<path class="marker" d="${marker() ?? ''}" transform="translate(${x(point.x)} ${y(point.y)})"><title>${point.says}</title></path>`
      : markup`<path class="missing" d="M-4 -4L4 4M-4 4L4 -4" transform="translate(${x(point.x)} ${area.top + 2})"><title>${point.says}</title></path>`,
  );
  return markup`<g class="series-${style}">${drawn > 1 ? markup`<path class="line" d="${path(points) ?? ''}"/>` : null}${markers}</g>`;
}

function drawReference({ axis, at, kind }: ReferenceLine, area: Area, x: Axis, y: Axis): Markup {
  return axis === 'x'
    ? markup`<line class="reference ${kind}" x1="${x(at)}" x2="${x(at)}" y1="${area.top}" y2="${area.bottom}"/>`
    : markup`<line class="reference ${kind}" x1="${area.left}" x2="${area.right}" y1="${y(at)}" y2="${y(at)}"/>`;
}

function placesBeside({ axis, at, text }: ReferenceLine, area: Area, x: Axis, y: Axis): Place[] {
  if (axis === 'y') {
    const sides = [
      { x: area.left + LABEL_GAP_PX, anchor: 'start' },
      { x: area.right - LABEL_GAP_PX, anchor: 'end' },
    ] as const;
    return sides.flatMap((side) => [-ROW_PX, ROW_PX].map((by) => ({ ...side, y: y(at) + by / 2 + 2 * Math.sign(by) })));
  }
  const sides = [
    { x: x(at) - LABEL_GAP_PX, anchor: 'end' },
    { x: x(at) + LABEL_GAP_PX, anchor: 'start' },
  ] as const;
  const fits = sides.filter(
    ({ x: edge, anchor }) => (anchor === 'end' ? edge - area.left : area.right - edge) >= textWidth(text) + LABEL_GAP_PX,
  );
  const rows = Array.from({ length: 10 }, (_, row) => area.top + ROW_PX * (row + 0.5));
  return rows.flatMap((row) => fits.map((side) => ({ ...side, y: row })));
}
