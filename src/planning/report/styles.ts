/**
 * The style sheet of the report. Colours of series are those of Okabe and Ito (jfly.uni-koeln.de/color), darker where they mark on white;
 * each series has a dash and a marker of its own as well. Steps of the heat map are one hue, from pale to strong.
 */
export const STYLES = `
:root { color-scheme: light dark;
  --page: #f4f5f7; --card: #fff; --text: #1b1f24; --muted: #57606a; --rule: #d5dae0; --grid: #e6e9ed; --accent: #0b5394;
  --series-0: #0072b2; --series-1: #b35900; --series-2: #8f2f6f; --goal: #c22f00; --knee: #57606a; --best: #00704f;
  --bar: #0072b2; --band: #dcebf5; --warn: #fff4d6; --warn-rule: #b98900; --hatch: #d5dae0;
  --heat-0: #eaf3fa; --heat-1: #bfdcef; --heat-2: #7fb8dc; --heat-3: #1f6fa8; --heat-4: #0a3d66;
  --heat-text-low: #1b1f24; --heat-text-high: #fff; }
@media screen and (prefers-color-scheme: dark) { :root {
  --page: #101317; --card: #191d23; --text: #e8ebef; --muted: #a6afb9; --rule: #39414a; --grid: #2a3038; --accent: #8cc4f0;
  --series-0: #56b4e9; --series-1: #e69f00; --series-2: #e58fc4; --goal: #ff8a5c; --knee: #a6afb9; --best: #3ecf9b;
  --bar: #56b4e9; --band: #1f3646; --warn: #33290d; --warn-rule: #d9a514; --hatch: #39414a;
  --heat-0: #1c2a36; --heat-1: #1d4059; --heat-2: #1f5a80; --heat-3: #7fb8dc; --heat-4: #cfe6f6;
  --heat-text-low: #e8ebef; --heat-text-high: #10151a; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 40px 32px; background: var(--page); color: var(--text); font: 16px/1.5 system-ui, sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere; -webkit-text-size-adjust: 100%; }
main { max-width: 1200px; margin: 0 auto; }
h1, h2, h3, p, ul, dl, dd, figure { margin: 0; padding: 0; }
h1 { max-width: 24em; margin: 4px 0 20px; font-size: 40px; font-weight: 650; line-height: 1.2; letter-spacing: -0.01em; text-wrap: balance; }
h2 { margin: 0 0 8px; font-size: 20px; line-height: 1.3; }
h3 { font-size: 17px; line-height: 1.35; }
.over { color: var(--muted); }
.over b { color: var(--text); }
.reason { max-width: 46em; margin-bottom: 20px; font-size: 19px; }
.notes { margin-bottom: 20px; padding: 14px 20px; border-left: 5px solid var(--warn-rule); border-radius: 6px; background: var(--warn); }
.notes h2 { font-size: 16px; }
.notes ul, .assumptions ul { padding-left: 1.2em; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 16px; margin-bottom: 20px; }
.tiles div, .assumptions, figure, .background { border: 1px solid var(--rule); border-radius: 10px; background: var(--card); }
.tiles div { padding: 14px 18px; }
.tiles dt, .tiles span { color: var(--muted); font-size: 14px; line-height: 1.4; }
.tiles b { display: block; font-size: 25px; font-weight: 620; line-height: 1.35; }
.tiles span { display: block; }
.assumptions, .background { padding: 20px; }
.assumptions li { max-width: 68em; }
.assumptions li + li { margin-top: 3px; }
.plots { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 20px; margin: 12px 0 20px; }
header + section > h2 { margin-top: 28px; }
figure { display: flex; flex-direction: column; padding: 20px; }
figcaption p, .absent p { margin-top: 2px; color: var(--muted); font-size: 15px; }
.key { display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 10px 0; list-style: none; font-size: 13px; }
.key li { display: flex; align-items: center; gap: 6px; }
.swatch { flex: none; width: 28px; height: 14px; }
.plot { width: 100%; height: auto; margin-bottom: 10px; }
.plot.narrow { display: none; }
details { margin-top: auto; font-size: 14px; }
summary { color: var(--accent); cursor: pointer; }
.plots:has(details[open]) { align-items: start; }
.table { max-height: 28em; margin-top: 8px; overflow: auto; overflow-wrap: normal; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: 4px 12px 4px 0; border-bottom: 1px solid var(--grid); text-align: left; vertical-align: top; }
th { font-weight: 500; }
td { white-space: nowrap; }
thead th { color: var(--muted); }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(260px, 1fr)); gap: 16px 32px; margin-bottom: 16px; }
.columns dl { display: grid; grid-template-columns: auto 1fr; gap: 2px 14px; font-size: 14px; }
.columns dt, .background > p, footer { color: var(--muted); font-size: 14px; }
footer { margin-top: 16px; }
svg text { fill: var(--text); font: 13px system-ui, sans-serif; font-variant-numeric: tabular-nums; }
.axis text { fill: var(--muted); }
.axis .title { fill: var(--text); }
.grid { stroke: var(--grid); }
.base, .tick { stroke: var(--muted); }
.line { fill: none; stroke-width: 2.25; stroke-linejoin: round; }
.marker { stroke: var(--card); stroke-width: 1; }
.missing { fill: none; stroke: var(--goal); stroke-width: 2; }
.series-0 .line { stroke: var(--series-0); } .series-0 .marker { fill: var(--series-0); }
.series-1 .line { stroke: var(--series-1); stroke-dasharray: 7 3; } .series-1 .marker { fill: var(--series-1); }
.series-2 .line { stroke: var(--series-2); stroke-dasharray: 2 2.5; } .series-2 .marker { fill: var(--series-2); }
.reference { fill: none; stroke-width: 1.75; }
.reference.goal { stroke: var(--goal); } .reference.knee { stroke: var(--knee); stroke-dasharray: 1.5 4; stroke-linecap: round; stroke-width: 2.5; }
.reference.best { stroke: var(--best); stroke-dasharray: 9 4; } .reference.today { stroke: var(--goal); stroke-dasharray: 9 4; }
.label { paint-order: stroke; stroke: var(--card); stroke-width: 5px; stroke-linejoin: round; }
.bar { fill: var(--bar); }
.band { fill: var(--band); } .diagonal { stroke: var(--muted); }
.error { fill: none; stroke: var(--muted); stroke-width: 1.5; }
.within .marker { fill: var(--series-0); } .beyond .marker { fill: var(--series-1); }
.heat-0 .field { fill: var(--heat-0); } .heat-1 .field { fill: var(--heat-1); } .heat-2 .field { fill: var(--heat-2); }
.heat-3 .field { fill: var(--heat-3); } .heat-4 .field { fill: var(--heat-4); }
.heat-0 text, .heat-1 text, .heat-2 text { fill: var(--heat-text-low); } .heat-3 text, .heat-4 text { fill: var(--heat-text-high); }
.given-up .field, .plain .field { fill: var(--card); stroke: var(--rule); } .given-up text { fill: var(--muted); paint-order: stroke; stroke: var(--card); stroke-width: 5px; }
.hatch { fill: none; stroke: var(--hatch); stroke-width: 1.5; }
.chosen { fill: none; stroke: var(--series-1); stroke-width: 3; }
@media (max-width: 1119px) { .plots { grid-template-columns: minmax(0, 1fr); } .plot.wide { max-width: 680px; margin-inline: auto; } }
@media (max-width: 699px) {
  body { padding: 20px 12px; }
  h1 { font-size: 28px; }
  figure, .assumptions, .background { padding: 14px 12px; }
  .tiles { grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 10px; }
  .tiles div { padding: 10px 12px; } .tiles b { font-size: 20px; }
  .plot.wide { display: none; } .plot.narrow { display: block; max-width: 430px; } }
@media print {
  body { padding: 0; background: none; font-size: 11pt; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  h1 { font-size: 22pt; }
  .plots { grid-template-columns: minmax(0, 1fr); } .plot.wide { display: block; max-width: 620px; } .plot.narrow { display: none; }
  figure, .tiles div, .notes, .assumptions { break-inside: avoid; }
  details:not([open]) { display: none; } }
`;
