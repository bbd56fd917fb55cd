/** HTML and SVG that cannot be broken by what is put into it: every text is escaped unless it is markup already. */

export class Markup {
  readonly #text: string;

  /** `text` is taken as it is. */
  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

/** null stands for nothing. */
export type Content = string | number | Markup | null | readonly Content[];

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
/** Half a thousandth of a pixel is seen by nobody. */
const DECIMALS = 2;

/** Attributes must stand in double quotes. A number is a coordinate here: figures for a reader come as text. Throws for one that is none. */
export function markup(parts: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  return new Markup(parts.map((part, i) => part + written(contents[i] ?? null)).join(''));
}

function written(content: Content): string {
  if (content === null) return '';
  if (typeof content === 'string') return content.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? '');
  if (content instanceof Markup) return content.toString();
  if (typeof content !== 'number') return content.map(written).join('');
  if (!Number.isFinite(content)) throw new RangeError(`${content} is no coordinate`);
  return String(Number(content.toFixed(DECIMALS)));
}
