/** The frame of a plot: scales from values to pixels, axes with ticks and units. */
import { scaleLinear, scaleLog } from 'd3-scale';
import { shortText } from './figure-text.js';
import { markup, type Content, type Markup } from './markup.js';

/** Pixels of the view box. A page shows it at about this size, so that text keeps its own. */
export interface PlotSize {
  readonly name: 'wide' | 'narrow';
  readonly width: number;
  readonly height: number;
}

export const SIZES: readonly PlotSize[] = [
  { name: 'wide', width: 560, height: 340 },
  { name: 'narrow', width: 316, height: 290 },
];

/** Pixels; the style sheet sets the same (styles.ts). */
export const FONT_PX = 13;
/** Of one character of a wide font (DejaVu Sans), where the page cannot measure: the widest that a text may become. */
const CHARACTER_PX = 0.62 * FONT_PX;

export const textWidth = (text: string): number => text.length * CHARACTER_PX;

/** The rectangle that marks are drawn in. */
export interface Area {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

export interface Tick {
  readonly at: number;
  readonly text: string;
}

export interface Axis {
  (value: number): number;
  readonly ticks: readonly Tick[];
  readonly domain: readonly [number, number];
}

export interface AxisRange {
  /** Of values; a scale may round it outwards. */
  readonly from: number;
  readonly to: number;
  readonly scale: 'linear' | 'log';
  /** Only ticks at whole numbers. */
  readonly isWhole?: boolean;
  /** How many ticks are aimed at. */
  readonly ticks: number;
}

/** `pixels` are those of the ends. */
export function makeAxis({ from, to, scale, ticks, isWhole = false }: AxisRange, pixels: readonly [number, number]): Axis {
  const end = to > from ? to : from + Math.max(1, Math.abs(from));
  if (scale === 'log') {
    const log = scaleLog([from, end], pixels).clamp(true);
    const values = logTicks(from, end, ticks);
    return Object.assign((value: number) => log(Math.max(value, from)), { ticks: values.map(tick), domain: [from, end] as const });
  }
  const linear = scaleLinear([from, end], pixels).nice(ticks).clamp(true);
  const [low = from, high = end] = linear.domain();
  const values = linear.ticks(ticks).filter((value) => !isWhole || Number.isInteger(value));
  return Object.assign((value: number) => linear(value), { ticks: values.map(tick), domain: [low, high] as const });
}

const tick = (at: number): Tick => ({ at, text: shortText(at) });

/** 1, 2 and 5 times the powers of ten; only the powers where that is too many. */
function logTicks(from: number, to: number, most: number): number[] {
  const steps = (factors: readonly number[]): number[] => {
    const found: number[] = [];
    for (let power = Math.floor(Math.log10(from)); power <= Math.ceil(Math.log10(to)); power++) {
      found.push(...factors.map((factor) => Number((factor * 10 ** power).toPrecision(1))));
    }
    return found.filter((value) => value >= from && value <= to);
  };
  const candidates = [[1, 2, 5], [1, 3], [1]].map(steps);
  return candidates.find((values) => values.length <= most + 3) ?? candidates.at(-1) ?? [];
}

const AXIS_TITLE_PX = 22;
const TICK_PX = 22;
const GAP_PX = 6;

/** Leaves room for the texts of both axes, and for half a text of the last tick. */
export function plotArea(size: PlotSize, yTicks: readonly Tick[], lastX: string): Area {
  const widest = Math.max(...yTicks.map(({ text }) => textWidth(text)), 0);
  return {
    left: Math.ceil(widest + 2 * GAP_PX),
    right: size.width - Math.ceil(Math.max(textWidth(lastX) / 2, GAP_PX)) - 2,
    top: AXIS_TITLE_PX + GAP_PX,
    bottom: size.height - TICK_PX - AXIS_TITLE_PX,
  };
}

export function drawXAxis(area: Area, axis: Axis, title: string): Markup {
  const ticks = withoutOverlaps(axis.ticks, axis).map(
    ({ at, text }) =>
      markup`<line class="tick" x1="${axis(at)}" x2="${axis(at)}" y1="${area.bottom}" y2="${area.bottom + 4}"/><text x="${axis(at)}" y="${area.bottom + TICK_PX - 2}" text-anchor="middle">${text}</text>`,
  );
  return markup`<g class="axis"><line class="base" x1="${area.left}" x2="${area.right}" y1="${area.bottom}" y2="${area.bottom}"/>${ticks}${xTitle(area, title)}</g>`;
}

/** Below the middle of the area, or as near to it as the left edge allows. */
export function xTitle(area: Area, title: string): Markup {
  const x = Math.max((area.left + area.right) / 2, textWidth(title) / 2);
  return markup`<text class="title" x="${x}" y="${area.bottom + TICK_PX + AXIS_TITLE_PX - 6}" text-anchor="middle">${title}</text>`;
}

/** With grid lines. Its title stands above it, where it reads without turning the head. */
export function drawYAxis(area: Area, axis: Axis, title: string): Markup {
  const ticks = axis.ticks.map(
    ({ at, text }) =>
      markup`<line class="grid" x1="${area.left}" x2="${area.right}" y1="${axis(at)}" y2="${axis(at)}"/><text x="${area.left - GAP_PX}" y="${axis(at) + 4.5}" text-anchor="end">${text}</text>`,
  );
  return markup`<g class="axis">${ticks}${yTitle(title)}</g>`;
}

export const yTitle = (title: string): Markup => markup`<text class="title" x="2" y="14">${title}</text>`;

function withoutOverlaps(ticks: readonly Tick[], axis: Axis): readonly Tick[] {
  let end = Number.NEGATIVE_INFINITY;
  return ticks.filter(({ at, text }) => {
    const half = textWidth(text) / 2;
    const fits = axis(at) - half > end + GAP_PX;
    if (fits) end = axis(at) + half;
    return fits;
  });
}

/** A drawing with a name and a description for those who do not see it; `id` must be the only one of its page. */
export function svg(id: string, size: PlotSize, name: string, description: string, marks: Content): Markup {
  return markup`<svg class="plot ${size.name}" viewBox="0 0 ${size.width} ${size.height}" role="img" aria-labelledby="${id}-${size.name}-name ${id}-${size.name}-says"><title id="${id}-${size.name}-name">${name}</title><desc id="${id}-${size.name}-says">${description}</desc>${marks}</svg>`;
}
