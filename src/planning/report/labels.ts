/** Places texts beside what they name, so that none covers another. */
import { FONT_PX, textWidth, type Area } from './axes.js';
import { markup, type Markup } from './markup.js';

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Where a text may stand: a corner of it, in pixels. */
export interface Place {
  readonly x: number;
  /** Of the middle of its height. */
  readonly y: number;
  readonly anchor: 'start' | 'end';
}

const HEIGHT_PX = FONT_PX + 3;

export class Labels {
  readonly #area: Area;
  readonly #taken: Box[] = [];

  constructor(area: Area) {
    this.#area = area;
  }

  /** A mark that texts should not cover; `x` and `y` are those of its middle. */
  avoid(x: number, y: number, width: number, height = width): void {
    this.#taken.push({ left: x - width / 2, right: x + width / 2, top: y - height / 2, bottom: y + height / 2 });
  }

  /** The first place that is free, or else the one that covers least; within the area in any case where the text is not wider than that. */
  put(text: string, places: readonly Place[]): Markup {
    const width = textWidth(text);
    const boxes = places.map((place) => this.#inside(place, width));
    const covered = boxes.map((box) => this.#taken.reduce((sum, other) => sum + shared(box, other), 0));
    const best = boxes[covered.indexOf(Math.min(...covered))];
    if (best === undefined) return markup``;
    this.#taken.push(best);
    const anchor = places[boxes.indexOf(best)]?.anchor ?? 'start';
    const x = anchor === 'start' ? best.left : best.right;
    return markup`<text class="label" x="${x}" y="${(best.top + best.bottom) / 2 + 4.5}" text-anchor="${anchor}">${text}</text>`;
  }

  #inside({ x, y, anchor }: Place, width: number): Box {
    const wanted = anchor === 'start' ? x : x - width;
    const left = Math.max(this.#area.left, Math.min(wanted, this.#area.right - width));
    const top = Math.max(this.#area.top, Math.min(y - HEIGHT_PX / 2, this.#area.bottom - HEIGHT_PX));
    return { left, right: left + width, top, bottom: top + HEIGHT_PX };
  }
}

/** Square pixels that both have. */
function shared(a: Box, b: Box): number {
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  return width > 0 && height > 0 ? width * height : 0;
}
