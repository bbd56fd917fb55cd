/** A table whose cells are coloured by their figures. */
import { scaleBand, scaleQuantize } from 'd3-scale';
import { FONT_PX, plotArea, svg, textWidth, xTitle, yTitle, type PlotSize } from './axes.js';
import { shortText, shortestText } from './figure-text.js';
import { markup, type Markup } from './markup.js';

export interface HeatCell {
  readonly column: string;
  readonly row: string;
  readonly value: number;
  /** The value is a bound only: hatched, without a colour. */
  readonly isGivenUp: boolean;
  readonly isChosen: boolean;
  readonly says: string;
}

export interface HeatMap {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly xTitle: string;
  readonly yTitle: string;
  /** From the left. */
  readonly columns: readonly string[];
  /** From the top. */
  readonly rows: readonly string[];
  /** At most one for a column and row; a place without one stays empty. */
  readonly cells: readonly HeatCell[];
}

/** The classes `heat-0` to `heat-4` of the style sheet. */
export const HEAT_STEPS = 5;
const ROW_PX = 38;
const MAX_COLUMN_PX = 170;
const HATCH_PX = 8;
/** Of the frame of the chosen cell, with its distance from the text. */
const FRAME_PX = 5;
/** Of the shortest texts of cells: 1.2K. */
const MIN_COLUMN_PX = 2.8 * FONT_PX;

/** The step of colour of a figure: equal parts of what was found. */
export function heatScale(cells: readonly HeatCell[]): { readonly stepOf: (value: number) => number; readonly bounds: readonly number[] } {
  const found = cells.filter(({ isGivenUp }) => !isGivenUp).map(({ value }) => value);
  const lowest = Math.min(...found);
  const highest = Math.max(...found);
  if (!(highest > lowest)) return { stepOf: () => HEAT_STEPS - 1, bounds: [] };
  const steps = Array.from({ length: HEAT_STEPS }, (_, step) => step);
  const scale = scaleQuantize([lowest, highest], steps);
  return { stepOf: (value) => scale(value), bounds: [lowest, ...scale.thresholds(), highest] };
}

/** All values are finite. More columns than fit make it wider, and it is shown smaller. */
export function heatMap(map: HeatMap, { name, width }: PlotSize): Markup {
  const widest = map.rows.map((text) => ({ at: 0, text }));
  const frame = plotArea({ name, width, height: 0 }, widest, '');
  const columnPx = Math.min(MAX_COLUMN_PX, Math.max(MIN_COLUMN_PX, (frame.right - frame.left) / map.columns.length));
  const area = { ...frame, right: frame.left + columnPx * map.columns.length, bottom: frame.top + ROW_PX * map.rows.length };
  const size = { name, width: Math.max(width, area.right + 2), height: area.bottom + 44 };
  const x = scaleBand(map.columns, [area.left, area.right]).padding(0.04);
  const y = scaleBand(map.rows, [area.top, area.bottom]).padding(0.06);
  const { stepOf } = heatScale(map.cells);
  const widestCell = Math.max(...map.cells.map(({ value }) => textWidth(shortText(value))));
  const textOf = widestCell + 2 * FRAME_PX <= x.bandwidth() ? shortText : shortestText;
  const cells = map.cells.map((cell) => {
    const box = { x: x(cell.column) ?? area.left, y: y(cell.row) ?? area.top, width: x.bandwidth(), height: y.bandwidth() };
    return drawCell(cell, box, stepOf(cell.value), textOf(cell.value));
  });
  const texts = [
    map.columns.map(
      (text) => markup`<text x="${(x(text) ?? 0) + x.bandwidth() / 2}" y="${area.bottom + 16}" text-anchor="middle">${text}</text>`,
    ),
    map.rows.map(
      (text) => markup`<text x="${area.left - 6}" y="${(y(text) ?? 0) + y.bandwidth() / 2 + 4.5}" text-anchor="end">${text}</text>`,
    ),
  ];
  const axis = markup`<g class="axis">${texts}${xTitle({ ...area, bottom: area.bottom - 2 }, map.xTitle)}${yTitle(map.yTitle)}</g>`;
  return svg(map.id, size, map.name, map.description, [axis, cells]);
}

interface CellBox {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

function drawCell(cell: HeatCell, box: CellBox, step: number, text: string): Markup {
  const kind = cell.isGivenUp ? 'given-up' : `heat-${step}`;
  const rect = (name: string, by: number): Markup =>
    markup`<rect class="${name}" x="${box.x + by}" y="${box.y + by}" width="${box.width - 2 * by}" height="${box.height - 2 * by}" rx="3"/>`;
  return markup`<g class="cell ${kind}">${rect('field', 0)}${cell.isGivenUp ? hatch(box) : null}${cell.isChosen ? rect('chosen', 1.5) : null}<text x="${box.x + box.width / 2}" y="${box.y + box.height / 2 + 4.5}" text-anchor="middle">${text}</text><title>${cell.says}</title></g>`;
}

/** Lines from the lower left to the upper right, cut at the edges: a pattern would need a name that is the only one of the page. */
function hatch({ x, y, width, height }: CellBox): Markup {
  const lines: Markup[] = [];
  for (let offset = HATCH_PX; offset < width + height; offset += HATCH_PX) {
    const fromX = Math.min(offset, width);
    const toX = Math.max(0, offset - height);
    lines.push(markup`M${x + fromX} ${y + offset - fromX}L${x + toX} ${y + offset - toX}`);
  }
  return markup`<path class="hatch" d="${lines}"/>`;
}
