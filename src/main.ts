#!/usr/bin/env node
/** Entry: command line -> command. The only place that ends the process. Everything but the signal handlers is imported after them. */
import { ShutdownSignals } from './lifecycle/shutdown-signals.js';

const signals = new ShutdownSignals();
/** A failure while a failure is reported must not be reported again. */
let isEnding = false;
for (const event of ['uncaughtException', 'unhandledRejection'] as const) process.on(event, (thrown: unknown) => void endBy(thrown, event));

try {
  process.exit(await run(process.argv.slice(2)));
} catch (thrown) {
  await endBy(thrown, 'command failed');
}

async function run(args: readonly string[]): Promise<number> {
  const [first = '', ...rest] = args;
  const write = (text: string): void => void process.stdout.write(`${text}\n`);
  const isCommand = first !== '' && !first.startsWith('-');
  if (first === 'help' || args.includes('--help') || args.includes('-h')) {
    write(await helpOf(first, rest));
    return 0;
  }
  if (args.includes('--version')) {
    const { VERSION } = await import('./config/version.js');
    write(VERSION);
    return 0;
  }
  switch (isCommand ? first : 'serve') {
    case 'serve': {
      const { serve } = await import('./commands/serve.js');
      return serve(isCommand ? rest : args, signals);
    }
    case 'check': {
      const { check } = await import('./commands/check.js');
      return Promise.race([check(rest, write), stopped()]);
    }
    case 'pull': {
      const { pull } = await import('./commands/pull.js');
      return Promise.race([stopped(), pull(rest, signals)]);
    }
    case 'manifests': {
      const { manifests } = await import('./commands/manifests.js');
      return Promise.race([stopped(), manifests(rest, write)]);
    }
    case 'bench': {
      const { bench } = await import('./commands/bench.js');
      return bench(rest, write, signals);
    }
    case 'plan': {
      const { plan } = await import('./commands/plan.js');
      return plan(rest, write, signals);
    }
    default: {
      const { OptionsError } = await import('./config/load.js');
      throw new OptionsError([`"${first}" is not a command; there are serve, check, pull, manifests, bench, plan and help`]);
    }
  }
}

async function helpOf(command: string, args: readonly string[]): Promise<string> {
  switch (command) {
    case 'manifests':
      return (await import('./commands/manifests.js')).manifestsHelp();
    case 'bench':
      return (await import('./commands/bench.js')).benchHelpOf(args);
    case 'plan':
      return (await import('./planning/plan/plan-flags.js')).planHelp();
    default:
      return (await import('./commands/help.js')).helpText();
  }
}

/** Nothing is wrong, but nothing is proved or pulled either. */
async function stopped(): Promise<number> {
  const { exitCodeOfSignal } = await import('./lifecycle/exit-codes.js');
  return exitCodeOfSignal(await signals.first);
}

/** Says why (log and termination log), then leaves with the exit code that goes with the failure. */
async function endBy(thrown: unknown, event: string): Promise<never> {
  if (isEnding) process.exit(70);
  isEnding = true;
  const { reportFailure } = await import('./lifecycle/failure-report.js');
  process.exit(reportFailure(thrown, event));
}
