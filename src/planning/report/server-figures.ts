/** What the search found of one server: its settings, its batches, and how well the model of it predicts. */
import { settingsName } from '../server-settings.js';
import type { Plan, PlanCandidate, Prediction } from '../plan/plan.js';
import { settingsText } from '../plan/plan-table.js';
import { judge, TOLERANCE } from '../server-model/leave-one-out.js';
import { sustainedText, whyNoSettings } from './answer.js';
import { barPlot } from './bars.js';
import { bandKey, barKey, drawAbsence, drawFigure, fieldKey, pointKey, type KeyEntry } from './figure.js';
import { countText, delayText, intervalText, isKnown, numberText, percentText, rateText, shortText } from './figure-text.js';
import { heatMap, heatScale, type HeatCell } from './heat-map.js';
import { markup, type Markup } from './markup.js';
import { scatterPlot } from './scatter.js';

export function settingsFigure(plan: Plan): Markup {
  const title = 'Rate of one replica by settings';
  const candidates = plan.candidates.filter(({ rate }) => isKnown(rate.value));
  if (candidates.length === 0) return drawAbsence(title, 'No settings were measured.');
  const chosenName = plan.chosen === null ? null : settingsName(plan.chosen.settings);
  const best = bestOfEachPlace(candidates, chosenName);
  const cells = best.map((candidate) => heatCell(candidate, chosenName));
  const hasPrecisions = candidates.some(({ settings }) => settings.precision !== undefined);
  const distinct = (values: readonly number[]): number[] => [...new Set(values)].toSorted((a, b) => a - b);
  const says =
    plan.chosen === null
      ? `${whyNoSettings(plan)}; ${countText(candidates.length, 'setting')} ${candidates.length === 1 ? 'was' : 'were'} tried.`
      : `${plan.isComplete ? 'Best' : 'Best so far'}: ${settingsText(plan.chosen.settings)}, with ${sustainedText(plan.chosen)} (${intervalText(plan.chosen.rate)}).`;
  return drawFigure({
    title,
    says: hasSeveral(candidates) ? `${says} Each cell is the best over ${hasPrecisions ? 'precision, ' : ''}delay and threads.` : says,
    key: heatKey(cells),
    draw: (size) =>
      heatMap(
        {
          id: 'settings',
          name: title,
          description: says,
          xTitle: 'lanes (runs at the same time)',
          yTitle: 'largest batch',
          columns: distinct(candidates.map(({ settings }) => settings.lanes)).map(laneText),
          rows: distinct(candidates.map(({ settings }) => settings.maxBatchSize))
            .toReversed()
            .map(batchText),
          cells,
        },
        size,
      ),
    table: {
      head: [
        'largest batch',
        'lanes',
        'threads',
        ...(hasPrecisions ? ['precision'] : []),
        'delay',
        'requests/s',
        'holds to fails',
        'trials',
        '',
      ],
      rows: candidates
        .toSorted((a, b) => b.rate.value - a.rate.value)
        .map(({ settings, rate, trials, state }) => [
          batchText(settings.maxBatchSize),
          numberText(settings.lanes),
          numberText(settings.cpuThreads),
          ...(hasPrecisions ? [settings.precision?.toUpperCase() ?? '–'] : []),
          delayText(settings.maxQueueDelayUs),
          numberText(rate.value),
          state === 'finished' ? intervalText(rate) : '–',
          numberText(trials),
          settingsName(settings) === chosenName ? 'chosen' : state === 'finished' ? '' : STATES[state],
        ]),
    },
  });
}

const STATES = { 'given-up': 'given up early', unfinished: 'not finished', died: 'its server died' } as const;
const laneText = (lanes: number): string => numberText(lanes);
const batchText = (rows: number): string => (rows === 0 ? 'none' : numberText(rows));
const placeOf = ({ settings }: PlanCandidate): string => `${settings.maxBatchSize} ${settings.lanes}`;
const hasSeveral = (candidates: readonly PlanCandidate[]): boolean => new Set(candidates.map(placeOf)).size < candidates.length;

/** The chosen one before all, then what was finished before what was given up, then the faster one. */
function bestOfEachPlace(candidates: readonly PlanCandidate[], chosenName: string | null): PlanCandidate[] {
  const rank = ({ settings, state }: PlanCandidate): number => (settingsName(settings) === chosenName ? 2 : state === 'finished' ? 1 : 0);
  const best = new Map<string, PlanCandidate>();
  for (const candidate of candidates) {
    const other = best.get(placeOf(candidate));
    const isBetter =
      other === undefined || rank(candidate) > rank(other) || (rank(candidate) === rank(other) && candidate.rate.value > other.rate.value);
    if (isBetter) best.set(placeOf(candidate), candidate);
  }
  return [...best.values()];
}

function heatCell({ settings, rate, state }: PlanCandidate, chosenName: string | null): HeatCell {
  const isChosen = settingsName(settings) === chosenName;
  return {
    column: laneText(settings.lanes),
    row: batchText(settings.maxBatchSize),
    value: rate.value,
    isGivenUp: state !== 'finished' && !isChosen,
    isChosen,
    says: `${settingsText(settings)}: ${rateText(rate.value)}${state === 'finished' ? ` (${intervalText(rate)})` : `, ${STATES[state]}`}`,
  };
}

function heatKey(cells: readonly HeatCell[]): KeyEntry[] {
  const { bounds, stepOf } = heatScale(cells);
  const steps = bounds.slice(1).map((to, step) => {
    const from = bounds[step] ?? to;
    return { swatch: fieldKey(`heat-${stepOf((from + to) / 2)}`), text: `${shortText(from)}–${shortText(to)}/s` };
  });
  const chosen = markup`<rect class="chosen" x="4.5" y="1.5" width="19" height="11" rx="2"/>`;
  const hatch = markup`<path class="hatch" d="M4 8L11 1M7 13L19 1M15 13L24 4"/>`;
  return [
    ...steps,
    ...(cells.some(({ isChosen }) => isChosen) ? [{ swatch: fieldKey('plain', chosen), text: 'chosen' }] : []),
    ...(cells.some(({ isGivenUp }) => isGivenUp)
      ? [{ swatch: fieldKey('given-up', hatch), text: 'not measured to the end: a bound' }]
      : []),
  ];
}

const MAX_BARS = 32;

export function batchFigure(plan: Plan): Markup {
  const title = 'How requests share runs';
  const batches = plan.batches.filter(({ rows, runs }) => isKnown(rows) && isKnown(runs) && runs > 0).toSorted((a, b) => a.rows - b.rows);
  const runs = batches.reduce((sum, batch) => sum + batch.runs, 0);
  if (runs === 0) return drawAbsence(title, 'No run was counted at the highest sustained rate.');
  const rows = batches.reduce((sum, batch) => sum + batch.rows * batch.runs, 0);
  const most = batches.at(-1)?.rows ?? 1;
  const width = Math.ceil(most / MAX_BARS);
  const bars = Array.from({ length: Math.ceil(most / width) }, (_, i) => {
    const from = i * width + 1;
    const to = from + width - 1;
    const inside = batches.filter((batch) => batch.rows >= from && batch.rows <= to).reduce((sum, batch) => sum + batch.runs, 0);
    const text = width === 1 ? numberText(from) : `${from}–${to}`;
    return { text, value: (100 * inside) / runs, says: `${text} rows: ${percentText(inside / runs)} of the runs` };
  });
  const says = `At its highest sustained rate a run carries ${countText(rows / runs, 'row')} on average.`;
  return drawFigure({
    title,
    says,
    key: [{ swatch: barKey(), text: 'share of all runs' }],
    draw: (size) => barPlot({ id: 'batches', name: title, description: says, xTitle: 'rows of a run', yTitle: '% of runs', bars }, size),
    table: {
      head: ['rows', 'runs', 'share of runs', 'share of rows'],
      rows: batches.map((batch) => [
        numberText(batch.rows),
        numberText(batch.runs),
        percentText(batch.runs / runs),
        percentText((batch.rows * batch.runs) / rows),
      ]),
    },
  });
}

export function predictionFigure(plan: Plan): Markup {
  const title = 'Predicted against measured rate';
  const predictions = plan.predictions.filter(({ measured, predicted }) =>
    [measured.value, measured.low, measured.high, predicted].every(isKnown),
  );
  if (predictions.length === 0) return drawAbsence(title, 'Too few settings were measured to the end to compare predictions with them.');
  const within = predictions.filter(isWithin).length;
  const says = `${within} of ${countText(predictions.length, 'prediction')} ${within === 1 ? 'lies' : 'lie'} within 5 % or within the interval of the measurement; each is of a model fitted without that measurement.`;
  return drawFigure({
    title,
    says,
    key: [
      { swatch: pointKey('within'), text: 'within, with what was shown to hold and not to' },
      ...(within < predictions.length ? [{ swatch: pointKey('beyond'), text: 'beyond' }] : []),
      { swatch: bandKey(), text: 'equal, ± 5 %' },
    ],
    draw: (size) =>
      scatterPlot(
        {
          id: 'predictions',
          name: title,
          description: says,
          xTitle: 'measured requests per second',
          yTitle: 'predicted requests per second',
          tolerance: TOLERANCE,
          points: predictions.map((prediction) => {
            const { measured, predicted, settings } = prediction;
            const text = `${settingsText(settings)}: measured ${rateText(measured.value)} (${intervalText(measured)}), predicted ${rateText(predicted)}`;
            return { x: measured.value, low: measured.low, high: measured.high, y: predicted, isWithin: isWithin(prediction), says: text };
          }),
        },
        size,
      ),
    table: {
      head: ['settings', 'measured', 'holds to fails', 'predicted', 'error', ''],
      rows: predictions.map((prediction) => [
        settingsText(prediction.settings),
        rateText(prediction.measured.value),
        intervalText(prediction.measured),
        rateText(prediction.predicted),
        errorText(prediction),
        isWithin(prediction) ? 'within' : 'beyond',
      ]),
    },
  });
}

const isWithin = (prediction: Prediction): boolean => judge(prediction, prediction.predicted).isWithin;

function errorText(prediction: Prediction): string {
  const { error } = judge(prediction, prediction.predicted);
  if (!isKnown(error)) return percentText(null);
  return `${error >= 0 ? '+' : '−'}${percentText(Math.abs(error))}`;
}
