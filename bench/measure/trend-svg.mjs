/** The trend of the guard's ratios as one SVG that needs nothing else: a line for each ratio, relative to its first quiet value. */
import { isQuiet } from './guard-history.mjs';

const [WIDTH, HEIGHT] = [960, 480];
const AREA = { left: 64, right: 650, top: 64, bottom: 400 };
const LEGEND_LEFT = 672;
const LEGEND_ROW = 34;
const MOST_TICKS = 8;
/** Told apart by everybody: Okabe and Ito, "Color universal design" (2008), with a brown for their yellow, which is faint on white. */
const COLOURS = ['#000000', '#e69f00', '#56b4e9', '#009e73', '#8c564b', '#0072b2', '#d55e00', '#cc79a7'];
const DASHES = ['', '6 3', '2 3'];

const escaped = (text) => String(text).replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
const at = (value) => value.toFixed(1);

/** The finest of 1, 2 and 5 times a power of ten that gives `MOST_TICKS` at most. */
function tickStep(range) {
  for (let power = -3; ; power++) {
    const step = [1, 2, 5].map((digit) => digit * 10 ** power).find((size) => range / size <= MOST_TICKS);
    if (step !== undefined) return step;
  }
}

/** `entries`: of one machine kind, oldest first, one at least. */
export function trendSvg(entries) {
  const names = [...new Set(entries.flatMap(({ ratios }) => Object.keys(ratios)))];
  const series = names.map((name, i) => {
    const having = entries.filter(({ ratios }) => ratios[name] !== undefined);
    const first = (having.find(isQuiet) ?? having[0]).ratios[name].median;
    const points = entries.flatMap((entry, x) => {
      const ratio = entry.ratios[name];
      return ratio === undefined ? [] : [{ x, y: ratio.median / first, ratio, entry }];
    });
    return { name, points, colour: COLOURS[i % COLOURS.length], dash: DASHES[Math.floor(i / COLOURS.length) % DASHES.length] };
  });
  const values = series.flatMap(({ points }) => points.map(({ y }) => y));
  const [least, most] = [Math.min(1, ...values), Math.max(1, ...values)];
  const step = tickStep(Math.max(most - least, 0.1) * 1.1);
  const [from, to] = [Math.floor((least - 1e-9) / step) * step, Math.ceil((most + 1e-9) / step) * step];
  const x = (index) => AREA.left + ((index + 0.5) * (AREA.right - AREA.left)) / entries.length;
  const y = (value) => AREA.bottom - ((value - from) * (AREA.bottom - AREA.top)) / (to - from);
  const { cpu, cores } = entries.at(-1).machine;
  const parts = [
    text(AREA.left, 26, `Ratios of the regression guard on ${cpu}, ${cores} cores`, { size: 16, weight: 'bold' }),
    text(AREA.left, 46, 'relative to the first quiet entry; more is better; hollow: the machine was busy with something else'),
    ...yAxis(from, to, step, y),
    ...xAxis(entries, x),
    ...series.flatMap((one, i) => [...drawn(one, x, y), ...legend(one, i)]),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" font-family="system-ui, sans-serif" font-size="12">
<title>Trend of the regression guard</title>
<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>
${parts.join('\n')}
</svg>
`;
}

function text(left, top, content, { anchor = 'start', size = 12, weight = 'normal', colour = '#222222', turned = false } = {}) {
  const turn = turned ? ` transform="rotate(-90 ${at(left)} ${at(top)})"` : '';
  return `<text x="${at(left)}" y="${at(top)}" text-anchor="${anchor}" font-size="${size}" font-weight="${weight}" fill="${colour}"${turn}>${escaped(content)}</text>`;
}

function yAxis(from, to, step, y) {
  const count = Math.round((to - from) / step);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const ticks = Array.from({ length: count + 1 }, (_, i) => from + i * step);
  return [
    ...ticks.flatMap((value) => {
      const colour = Math.abs(value - 1) < step / 1e3 ? '#888888' : '#e0e0e0';
      return [
        `<line x1="${AREA.left}" x2="${AREA.right}" y1="${at(y(value))}" y2="${at(y(value))}" stroke="${colour}"/>`,
        text(AREA.left - 8, y(value) + 4, value.toFixed(digits), { anchor: 'end' }),
      ];
    }),
    text(18, (AREA.top + AREA.bottom) / 2, 'ratio by its first quiet value', { anchor: 'middle', turned: true }),
    `<line x1="${AREA.left}" x2="${AREA.left}" y1="${AREA.top}" y2="${AREA.bottom}" stroke="#222222"/>`,
  ];
}

function xAxis(entries, x) {
  const every = Math.ceil(entries.length / MOST_TICKS);
  return [
    `<line x1="${AREA.left}" x2="${AREA.right}" y1="${AREA.bottom}" y2="${AREA.bottom}" stroke="#222222"/>`,
    ...entries.flatMap(({ date, commit }, i) =>
      i % every === 0
        ? [
            text(x(i), AREA.bottom + 18, date.slice(0, 10), { anchor: 'middle', size: 10 }),
            text(x(i), AREA.bottom + 32, commit, { anchor: 'middle', size: 10, colour: '#666666' }),
          ]
        : [],
    ),
    text((AREA.left + AREA.right) / 2, AREA.bottom + 58, 'entry: date and commit', { anchor: 'middle' }),
  ];
}

function drawn({ name, points, colour, dash }, x, y) {
  const line = points.map((point) => `${at(x(point.x))},${at(y(point.y))}`).join(' ');
  const markers = points.map((point) => {
    const { median, low, high } = point.ratio;
    const says = `${name}: ${median} (${low} to ${high}), ${point.entry.date.slice(0, 16)}, ${point.entry.commit}`;
    const fill = isQuiet(point.entry) ? colour : '#ffffff';
    return `<circle cx="${at(x(point.x))}" cy="${at(y(point.y))}" r="3.5" fill="${fill}" stroke="${colour}"><title>${escaped(says)}</title></circle>`;
  });
  return [`<polyline points="${line}" fill="none" stroke="${colour}" stroke-width="1.8" stroke-dasharray="${dash}"/>`, ...markers];
}

function legend({ name, points, colour, dash }, row) {
  const top = AREA.top + 12 + row * LEGEND_ROW;
  const { y, ratio } = points.at(-1);
  const change = `${y >= 1 ? '+' : ''}${(100 * (y - 1)).toFixed(1)} %`;
  return [
    `<line x1="${LEGEND_LEFT}" x2="${LEGEND_LEFT + 26}" y1="${at(top - 4)}" y2="${at(top - 4)}" stroke="${colour}" stroke-width="2.5" stroke-dasharray="${dash}"/>`,
    text(LEGEND_LEFT + 34, top, name, { weight: 'bold' }),
    text(LEGEND_LEFT + 34, top + 14, `now ${ratio.median}, ${change}`, { size: 11, colour: '#666666' }),
  ];
}
