/** What `penstock bench compare` says: a table for people, and a document with every run. */
import { goodPairs, type CompareRecord } from './compare-record.js';
import type { CompareOptions } from './compare-options.js';
import { ratiosOf, type Course } from './compare-rounds.js';
import type { Contenders } from './contenders.js';
import { FIGURES, figuresOf, KINDS, shownChange, shownMean, type FigureName } from './figures.js';
import { machineHere, measuredModel, measuredServer, runSettings, versionsHere } from './run-record.js';
import { textTable } from './text-table.js';

export function compareRecord(options: CompareOptions, { ours, others }: Contenders, course: Course, takenAt: Date): CompareRecord {
  return {
    kind: 'bench compare',
    taken: takenAt.toISOString(),
    versions: versionsHere(),
    machine: machineHere(),
    settings: runSettings(options, ours.target),
    servers: [ours, ...others].map(({ load, target, differs }) => ({
      ...measuredServer(load, target),
      model: measuredModel(load, target),
      differs,
    })),
    rounds_wanted: options.rounds,
    rounds: course.rounds,
    stopped: course.stopped,
    ratios: ratiosOf(course.rounds, 1 + others.length),
  };
}

export function compareTable(
  { servers, settings, rounds, rounds_wanted: wanted, ratios, stopped }: CompareRecord,
  whyJson: string | null,
): string {
  const { rate, arrivals, closed_loop: inFlight, duration_s: seconds, seed } = settings;
  const loop =
    inFlight === null ? `${arrivals} arrivals${rate === null ? '' : ` at ${rate} a second`}, seed ${seed}` : `closed loop of ${inFlight}`;
  const [ours] = servers;
  const lines = [
    `${ours?.model.name} at ${ours?.url} (${ours?.name} ${ours?.version}): ${settings.tensors} tensors, ${loop}, ${wanted} ${wanted === 1 ? 'round' : 'rounds'}${seconds === null ? '' : ` of ${seconds} s`}`,
  ];
  if (whyJson !== null) lines.push(`note: tensors as JSON for all servers, because binary ones are not taken everywhere: ${whyJson}`);
  for (const { against, rounds: good, ...figures } of ratios) {
    const server = servers[against];
    const equality = server?.differs === null ? 'answers are the same' : `ANSWERS DIFFER: ${server?.differs}`;
    lines.push('', `against ${server?.url} (${server?.name} ${server?.version}), model ${server?.model.name}: ${equality}`);
    const pairs = goodPairs(rounds, against);
    const mean = (side: 'ours' | 'theirs', figure: FigureName): string =>
      shownMean(
        pairs.map((pair) => figuresOf(pair[side])),
        figure,
      );
    const rows = FIGURES.map((figure) => [
      KINDS[figure].label,
      mean('ours', figure),
      mean('theirs', figure),
      shownChange(figures[figure], KINDS[figure].scale, good),
    ]);
    lines.push(...textTable([['', 'ours', 'theirs', 'ratio (95 % interval); of misses the difference'], ...rows]));
    if (good < wanted)
      lines.push(
        `${good} of ${wanted} rounds ${good === 1 ? 'is' : 'are'} good; in the others the generator was late itself three times, or the comparison ended`,
      );
  }
  if (stopped !== null) lines.push('', `ENDED EARLY: ${stopped}`);
  return lines.join('\n');
}
