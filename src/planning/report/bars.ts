/** A histogram over whole numbers. */
import { scaleBand } from 'd3-scale';
import { drawYAxis, makeAxis, plotArea, svg, textWidth, xTitle, type PlotSize } from './axes.js';
import { markup, type Markup } from './markup.js';

export interface Bar {
  /** Below the bar, where there is room. */
  readonly text: string;
  readonly value: number;
  readonly says: string;
}

export interface BarPlot {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly xTitle: string;
  readonly yTitle: string;
  readonly bars: readonly Bar[];
}

const MAX_BAR_PX = 64;

/** There must be a bar; all values are finite and not negative. */
export function barPlot(plot: BarPlot, size: PlotSize): Markup {
  const range = { from: 0, to: Math.max(...plot.bars.map(({ value }) => value)), scale: 'linear', ticks: 5 } as const;
  const area = plotArea(size, makeAxis(range, [0, 1]).ticks, plot.bars.at(-1)?.text ?? '');
  const y = makeAxis(range, [area.bottom, area.top]);
  const places = plot.bars.map((_, i) => i);
  const x = scaleBand(places, [area.left, area.right]).padding(plot.bars.length > 20 ? 0.1 : 0.25);
  const widest = Math.max(...plot.bars.map(({ text }) => textWidth(text)));
  const every = Math.max(1, Math.ceil((widest + 8) / x.step()));
  const width = Math.min(x.bandwidth(), MAX_BAR_PX);
  const bars = plot.bars.map(({ value, text, says }, i) => {
    const left = (x(i) ?? area.left) + (x.bandwidth() - width) / 2;
    // A value above zero is seen, however small.
    const height = value > 0 ? Math.max(1, area.bottom - y(value)) : 0;
    const label =
      i % every === 0 ? markup`<text x="${left + width / 2}" y="${area.bottom + 20}" text-anchor="middle">${text}</text>` : null;
    return markup`<rect class="bar" x="${left}" y="${area.bottom - height}" width="${width}" height="${height}"><title>${says}</title></rect>${label}`;
  });
  const marks = markup`${drawYAxis(area, y, plot.yTitle)}<g class="axis">${bars}<line class="base" x1="${area.left}" x2="${area.right}" y1="${area.bottom}" y2="${area.bottom}"/>${xTitle(area, plot.xTitle)}</g>`;
  return svg(plot.id, size, plot.name, plot.description, marks);
}
