/** Two readings of the same thing against each other: on the diagonal they agree. */
import { symbol, symbolCircle, symbolDiamond } from 'd3-shape';
import { drawXAxis, drawYAxis, makeAxis, plotArea, svg, type Area, type Axis, type PlotSize } from './axes.js';
import { markup, type Markup } from './markup.js';

export interface ScatterPoint {
  readonly x: number;
  /** The interval of x. */
  readonly low: number;
  readonly high: number;
  readonly y: number;
  readonly isWithin: boolean;
  readonly says: string;
}

export interface ScatterPlot {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly xTitle: string;
  readonly yTitle: string;
  /** Of the band about the diagonal, such as 0.05. */
  readonly tolerance: number;
  readonly points: readonly ScatterPoint[];
}

const CIRCLE = symbol(symbolCircle, 48).digits(2)() ?? '';
const DIAMOND = symbol(symbolDiamond, 70).digits(2)() ?? '';

/** There must be a point; all numbers are finite and not negative. */
export function scatterPlot(plot: ScatterPlot, size: PlotSize): Markup {
  const values = plot.points.flatMap(({ x, y, low, high }) => [x, y, low, high]);
  const least = Math.min(...values);
  const most = Math.max(...values);
  const range = {
    from: least > most / 2 ? least * 0.9 : 0,
    to: most * 1.05,
    scale: 'linear',
    ticks: size.name === 'wide' ? 6 : 4,
  } as const;
  const ticks = makeAxis(range, [0, 1]).ticks;
  const area = plotArea(size, ticks, ticks.at(-1)?.text ?? '');
  const x = makeAxis(range, [area.left, area.right]);
  const y = makeAxis(range, [area.bottom, area.top]);
  const marks = [drawYAxis(area, y, plot.yTitle), drawXAxis(area, x, plot.xTitle), drawBand(plot.tolerance, area, x, y)];
  return svg(plot.id, size, plot.name, plot.description, [marks, plot.points.map((point) => drawPoint(point, x, y))]);
}

/** The polygon ends where the upper or lower edge of the band leaves the plot. */
function drawBand(tolerance: number, area: Area, x: Axis, y: Axis): Markup {
  const [low, high] = x.domain;
  const within = (value: number): number => Math.min(high, Math.max(low, value));
  const above = 1 + tolerance;
  const below = 1 - tolerance;
  const corners = [
    [low, within(low * above)],
    [within(high / above), high],
    [high, high],
    [high, within(high * below)],
    [within(low / below), low],
    [low, low],
  ] as const;
  const points = corners.map(([across, up]) => markup`${x(across)},${y(up)} `);
  return markup`<polygon class="band" points="${points}"/><line class="diagonal" x1="${area.left}" y1="${area.bottom}" x2="${area.right}" y2="${area.top}"/>`;
}

function drawPoint(point: ScatterPoint, x: Axis, y: Axis): Markup {
  const up = y(point.y);
  const ends = [point.low, point.high].map((end) => markup`M${x(end)} ${up - 4}V${up + 4}`);
  return markup`<g class="${point.isWithin ? 'within' : 'beyond'}"><path class="error" d="M${x(point.low)} ${up}H${x(point.high)}${ends}"/><path class="marker" d="${point.isWithin ? CIRCLE : DIAMOND}" transform="translate(${x(point.x)} ${up})"><title>${point.says}</title></path></g>`;
}
