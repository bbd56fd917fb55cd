import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runTool } from '../kubernetes/tools.js';
import { MetricsPage } from '../support/prometheus.js';
import { repositoryRoot, ServerProcess } from '../support/server-process.js';
import { addressOf, EXIT, PROTOCOLS, runScenario, SCENARIOS, type Protocol, type Run, type Scenario } from './k6-run.js';

/** The version that answers. */
const DIGITS = { model: 'digits', version: '2' };

let server: ServerProcess;
beforeAll(async () => {
  server = await ServerProcess.start();
});
afterAll(async () => void (await server.stop()));

const run = (scenario: Scenario, protocol: Protocol, settings: Readonly<Record<string, string>> = {}): Promise<Run> =>
  runScenario(scenario, protocol, {
    BASE_URL: addressOf(server, protocol),
    METRICS_URL: `${server.managementUrl}/metrics`,
    DURATION: '1s',
    ...settings,
  });

describe.each(PROTOCOLS)('over %s', { concurrent: true }, (protocol) => {
  it.each<[Scenario, Readonly<Record<string, string>>, number]>([
    ['smoke', {}, 20],
    ['ramp', { STEPS: '2', DURATION: '2s' }, 120],
    // A server that has just started still grows.
    ['soak', { DURATION: '3s', WARM_UP: '1s', MEMORY_GROWTH: '1' }, 60],
    ['spike', { RATE: '10', RECOVERY: '1s' }, 140],
  ])('%s passes on a server that answers, and sends as many requests as it should', async (scenario, settings, requests) => {
    const { code, output, summary } = await run(scenario, protocol, settings);
    expect(code, output).toBe(EXIT.passed);
    const right = summary?.metrics['answers_right']?.values['count'] ?? 0;
    expect(right).toBeGreaterThanOrEqual(requests * 0.95);
    expect(right).toBeLessThanOrEqual(requests * 1.05 + 4);
  });

  it('peak-season sends 70 % single rows, 20 % for JSON, and 10 % batches of 10 to 50 rows', async () => {
    const own = await ServerProcess.start();
    const settings = { BASE_URL: addressOf(own, protocol), DURATION: '2s', RATE: '50' };
    const { code, output, summary } = await run('peak-season', protocol, settings);
    const rows = (await MetricsPage.of(own.managementUrl)).value('nv_inference_count', DIGITS);
    await own.stop();
    expect(code, output).toBe(EXIT.passed);
    const sent = (kind: string): number => summary?.metrics[`answers_failed{scenario:peak_season,kind:${kind}}`]?.values['fails'] ?? 0;
    expect(Math.abs(sent('single') - 70)).toBeLessThanOrEqual(1);
    expect(Math.abs(sent('json') - 20)).toBeLessThanOrEqual(1);
    expect(Math.abs(sent('batch') - 10)).toBeLessThanOrEqual(1);
    // The run begins with one of each kind.
    const batchRows = rows - sent('single') - sent('json') - (1 + 1 + 50);
    expect(batchRows / sent('batch')).toBeGreaterThan(20);
    expect(batchRows / sent('batch')).toBeLessThan(40);
  });

  it.each(['add_sub', 'echo_text'])('peak-season makes requests to %s from its metadata', async (model) => {
    const { code, output } = await run('peak-season', protocol, { MODEL: model });
    expect(code, output).toBe(EXIT.passed);
  });

  it('a goal that cannot be met fails the run, and ends a ramp early with no rate that held', async () => {
    const { code, output, missed, summary } = await run('ramp', protocol, { STEPS: '8', VUS: '20', P95_MS: '0.001' });
    expect(code, output).toBe(EXIT.thresholdMissed);
    expect(missed[0]).toMatch(new RegExp(`^${protocol}_req_duration{scenario:rate_20}`));
    expect(output).toMatch(/^no rate held$/m);
    expect(summary).toMatchObject({ lastRateHeld: 0 });
  });

  it('a model that is not there aborts the run and says so', async () => {
    const { code, output } = await run('smoke', protocol, { MODEL: 'nothing' });
    expect(code, output).toBe(EXIT.aborted);
    expect(output).toMatch(/test aborted: .*unknown model: 'nothing' is not found/);
  });

  it.each(SCENARIOS)('%s aborts when nobody listens, and says so', async (scenario) => {
    const nobody = protocol === 'http' ? 'http://127.0.0.1:9' : '127.0.0.1:9';
    const { code, output } = await run(scenario, protocol, { BASE_URL: nobody, DURATION: '2s' });
    expect(code, output).toBe(EXIT.aborted);
    expect(output).toMatch(/test aborted: \S*127\.0\.0\.1:9\S* cannot be reached/);
  });

  it('a server that dies has broken connections, and has refused nothing', async () => {
    const doomed = await ServerProcess.start();
    const running = run('smoke', protocol, { BASE_URL: addressOf(doomed, protocol), DURATION: '3s' });
    const answered = async (): Promise<number> =>
      (await MetricsPage.of(doomed.managementUrl)).value('nv_inference_request_success', DIGITS);
    while ((await answered()) < 5) await sleep(20);
    doomed.child.kill('SIGKILL');
    const { code, output, missed, summary } = await running;
    await doomed.stop();
    expect(code, output).toBe(EXIT.thresholdMissed);
    expect(missed).toContain('connection_errors');
    expect(summary?.metrics['answers_refused']?.values['passes']).toBe(0);
  });

  it.each(SCENARIOS)('%s starts requests on time whether answers come or not, and fails on those it could not start', async (scenario) => {
    const flags = ['-e', `PROTOCOL=${protocol}`, `${repositoryRoot}/bench/k6/${scenario}.js`];
    const { stdout } = await runTool('k6', ['inspect', ...flags]);
    const { scenarios, thresholds } = JSON.parse(stdout) as {
      scenarios: Record<string, { executor: string; preAllocatedVUs: number; maxVUs: number | null }>;
      thresholds: Record<string, unknown>;
    };
    for (const { executor, preAllocatedVUs, maxVUs } of Object.values(scenarios)) {
      expect(executor).toMatch(/^(constant|ramping)-arrival-rate$/);
      // k6 drops an iteration for each virtual user that it makes late.
      expect(maxVUs ?? preAllocatedVUs).toBe(preAllocatedVUs);
    }
    const onDropped = Object.entries(thresholds).filter(([metric]) => /^dropped_iterations(\{scenario:soak\})?$/.test(metric));
    expect(JSON.stringify(onDropped)).toContain('count==0');
  });
});

describe('settings that cannot be meant', { concurrent: true }, () => {
  it.each([
    ['PROTOCOL', 'ftp', 'http or grpc'],
    ['RATE', 'fast', 'a whole number from 1'],
    ['RATE', '0', 'a whole number from 1'],
    ['DURATION', '10', 'a duration of 1 s or more, such as 30s or 1h'],
    ['ERROR_RATE', '2', 'a share from 0 to 1'],
    ['P95_MS', '-1', 'a number above 0'],
    ['BASE_URL', 'localhost:8000', 'http://HOST:PORT when PROTOCOL is http'],
  ])('%s=%s ends the run before it starts', async (name, value, takes) => {
    const { code, output } = await run('smoke', 'http', { [name]: value });
    expect(code, output).toBe(EXIT.aborted);
    expect(output).toContain(`test aborted: ${name} is \\"${value}\\", but it takes ${takes}`);
  });

  it('an address with a scheme is none for gRPC', async () => {
    const { code, output } = await run('smoke', 'grpc', { BASE_URL: 'http://localhost:8001' });
    expect(code, output).toBe(EXIT.aborted);
    expect(output).toContain('but it takes HOST:PORT when PROTOCOL is grpc');
  });

  it('a warm-up as long as the soak leaves nothing to watch', async () => {
    const { code, output } = await run('soak', 'http', { DURATION: '2s', WARM_UP: '2s' });
    expect(code, output).toBe(EXIT.aborted);
    expect(output).toContain('WARM_UP is not shorter than DURATION');
  });
});
