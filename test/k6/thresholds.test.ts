import { describe, expect, it } from 'vitest';
import { FakeServer, LATE_MS, type Conduct } from './fake-server.js';
import { addressOf, EXIT, PROTOCOLS, runScenario, type Protocol, type Run, type Scenario } from './k6-run.js';

type ConductOf = (number: number) => Conduct;

/** Against a server that answers as told. */
async function run(
  scenario: Scenario,
  protocol: Protocol,
  conductOf: ConductOf,
  settings: Readonly<Record<string, string>> = {},
): Promise<Run> {
  const server = await FakeServer.start(conductOf);
  const own = { BASE_URL: addressOf(server, protocol), METRICS_URL: server.metricsUrl, MODEL: 'fake', DURATION: '1s' };
  const result = await runScenario(scenario, protocol, { ...own, ...settings });
  server.stop();
  return result;
}

/** In the middle of the crowd of a spike with these settings: of some 140 requests, the first is the one that a run begins with. */
const SPIKE = { RATE: '10', RECOVERY: '1s' };
const inTheCrowd =
  (conduct: Conduct): ConductOf =>
  (number) =>
    number >= 50 && number < 70 ? conduct : 'right';

describe.each(PROTOCOLS)('over %s', { concurrent: true }, (protocol) => {
  it.each<[Conduct, RegExp]>([
    ['another model', /wrong: the answer is of model other/],
    ['another output', /wrong: the outputs are z instead of y/],
    ['another datatype', /wrong: output y is INT32 instead of FP32/],
    ['too many rows', /wrong: output y has shape \[2,2\] instead of \[-1,2\] with 1 rows/],
    ['bytes missing', /wrong: output y has 4 bytes in shape \[1,2\]/],
  ])('a single answer with %s fails the run', async (conduct, said) => {
    const { code, output, missed } = await run('smoke', protocol, (number) => (number === 5 ? conduct : 'right'));
    expect(code, output).toBe(EXIT.thresholdMissed);
    expect(missed).toEqual(['answers_wrong']);
    expect(output).toMatch(said);
  });

  it('a first answer that is wrong ends the run before it starts', async () => {
    const { code, output } = await run('smoke', protocol, () => 'another output');
    expect(code, output).toBe(EXIT.aborted);
    expect(output).toMatch(/test aborted: the first request of 1 rows is wrong: the outputs are z instead of y/);
  });

  it('a refusal fails every run but a spike', async () => {
    const { code, output, missed } = await run('smoke', protocol, (number) =>
      number === 5 ? 'refuses and says when to come back' : 'right',
    );
    expect(code, output).toBe(EXIT.thresholdMissed);
    expect(missed).toEqual(['answers_failed{scenario:smoke}']);
    expect(output).toMatch(protocol === 'http' ? /refused: 503: .*busy/ : /refused: Unavailable: with details/);
  });

  it('a spike may be refused by a server that says when to come back', async () => {
    const { code, output, summary } = await run('spike', protocol, inTheCrowd('refuses and says when to come back'), SPIKE);
    expect(code, output).toBe(EXIT.passed);
    expect(summary?.metrics['answers_refused{scenario:spike}']?.values['passes']).toBe(20);
  });

  it('a spike may not be refused by one that does not', async () => {
    const { code, output, missed } = await run('spike', protocol, inTheCrowd('refuses'), SPIKE);
    expect(code, output).toBe(EXIT.thresholdMissed);
    expect(missed).toEqual(['answers_failed{scenario:spike}']);
  });

  it('a spike fails when the server has not recovered from it', async () => {
    const { code, output, missed } = await run('spike', protocol, (number) => (number >= 134 ? 'late' : 'right'), {
      ...SPIKE,
      P95_MS: String(0.8 * LATE_MS),
    });
    expect(code, output).toBe(EXIT.thresholdMissed);
    expect(missed).toEqual([`${protocol}_req_duration{scenario:after}`]);
  });

  it('requests that k6 could not start in time fail the run', async () => {
    const { code, output, missed } = await run('smoke', protocol, () => 'late', { VUS: '1' });
    expect(code, output).toBe(EXIT.thresholdMissed);
    expect(missed).toEqual(['dropped_iterations']);
  });

  it('a ramp ends at the step that misses the goal, and prints the rate of the one before', async () => {
    const { code, output, missed, summary } = await run('ramp', protocol, (number) => (number > 60 ? 'late' : 'right'), {
      STEPS: '5',
      DURATION: '2s',
      P95_MS: String(0.8 * LATE_MS),
    });
    expect(code, output).toBe(EXIT.thresholdMissed);
    expect(missed).toContain(`${protocol}_req_duration{scenario:rate_40}`);
    expect(output).toMatch(/^the last rate that held: 20\/s$/m);
    expect(summary).toMatchObject({ lastRateHeld: 20 });
  });

  it('a step with a wrong answer has not held, be it the last of the step', async () => {
    const { code, output, summary } = await run('ramp', protocol, (number) => (number === 39 ? 'too many rows' : 'right'), {
      STEPS: '4',
      DURATION: '2s',
    });
    expect(code, output).toBe(EXIT.thresholdMissed);
    expect(summary).toMatchObject({ lastRateHeld: 0 });
  });

  it('a soak fails when the memory of the server grows', async () => {
    const { code, output, missed, summary } = await run('soak', protocol, () => 'right', { DURATION: '3s', WARM_UP: '1s' });
    expect(code, output).toBe(EXIT.thresholdMissed);
    expect(missed).toEqual(['resident_growth']);
    expect(summary?.metrics['resident_readings']?.values['count']).toBeGreaterThanOrEqual(2);
  });
});
