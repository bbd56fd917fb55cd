/** A plot on the page: what it shows in a sentence, the key, the drawing for wide and for narrow pages, and the figures as a table. */
import { SIZES, type PlotSize } from './axes.js';
import { markup, type Content, type Markup } from './markup.js';

export interface KeyEntry {
  readonly swatch: Markup;
  readonly text: string;
}

export interface Table {
  readonly head: readonly string[];
  /** The first cell names its row. */
  readonly rows: readonly (readonly Content[])[];
}

export interface Figure {
  readonly title: string;
  /** What the reader should take from it. */
  readonly says: string;
  readonly key: readonly KeyEntry[];
  readonly draw: (size: PlotSize) => Markup;
  readonly table: Table;
}

export function drawFigure({ title, says, key, draw, table }: Figure): Markup {
  const entries = key.map(({ swatch, text }) => markup`<li>${swatch}${text}</li>`);
  return markup`<figure>
<figcaption><h3>${title}</h3><p>${says}</p></figcaption>
<ul class="key">${entries}</ul>
${SIZES.map(draw)}
<details><summary>Figures of “${title}”</summary>${drawTable(`Figures of “${title}”`, table)}</details>
</figure>
`;
}

/** In the place of a plot that has nothing to show. */
export function drawAbsence(title: string, reason: string): Markup {
  return markup`<figure class="absent">
<figcaption><h3>${title}</h3></figcaption>
<p>${reason}</p>
</figure>
`;
}

/** Wide ones scroll in a box of their own, never with the page. */
export function drawTable(name: string, { head, rows }: Table): Markup {
  const titles = head.map((text) => markup`<th scope="col">${text}</th>`);
  const lines = rows.map(
    ([first, ...rest]) => markup`<tr><th scope="row">${first ?? null}</th>${rest.map((cell) => markup`<td>${cell}</td>`)}</tr>\n`,
  );
  return markup`<div class="table" tabindex="0" role="region" aria-label="${name}"><table><thead><tr>${titles}</tr></thead><tbody>
${lines}</tbody></table></div>`;
}

const key = (marks: Markup): Markup => markup`<svg class="swatch" viewBox="0 0 28 14" aria-hidden="true">${marks}</svg>`;

const MARKERS = [
  markup`<circle class="marker" cx="14" cy="7" r="3.7"/>`,
  markup`<rect class="marker" x="10.7" y="3.7" width="6.6" height="6.6"/>`,
  markup`<path class="marker" d="M14 2.5L18.5 10.5H9.5Z"/>`,
];

export const seriesKey = (style: 0 | 1 | 2): Markup =>
  key(markup`<g class="series-${style}"><path class="line" d="M0 7H28"/>${MARKERS[style] ?? null}</g>`);
export const stepKey = (): Markup => key(markup`<g class="series-0"><path class="line" d="M0 11H14V3H28"/></g>`);
export const missingKey = (): Markup => key(markup`<path class="missing" d="M10 3L18 11M10 11L18 3"/>`);
export const referenceKey = (kind: 'goal' | 'knee' | 'today' | 'best'): Markup =>
  key(markup`<path class="reference ${kind}" d="M0 7H28"/>`);
export const fieldKey = (kind: string, marks: Content = null): Markup =>
  key(markup`<g class="${kind}"><rect class="field" x="3" y="0" width="22" height="14" rx="3"/>${marks}</g>`);
export const pointKey = (kind: 'within' | 'beyond'): Markup => {
  const marker = kind === 'within' ? MARKERS[0] : markup`<path class="marker" d="M14 1L18 7L14 13L10 7Z"/>`;
  return key(markup`<g class="${kind}"><path class="error" d="M3 7H25M3 4V10M25 4V10"/>${marker ?? null}</g>`);
};
export const barKey = (): Markup => key(markup`<rect class="bar" x="8" y="1" width="12" height="12"/>`);
export const bandKey = (): Markup =>
  key(markup`<rect class="band" x="0" y="1" width="28" height="12"/><path class="diagonal" d="M0 12L28 2"/>`);
