import { writeFileSync } from 'node:fs';
import { it } from 'vitest';
import { fixtureModels, ServerProcess, shippedModels } from '../../support/server-process.js';
import { SMALL_LIMIT } from './bad-case.js';
import { tables } from './corpus.js';
import { Senders } from './senders.js';
it('explores', { timeout: 600_000 }, async () => {
  const normal = await ServerProcess.start({ repositories: [fixtureModels, shippedModels] });
  const small = await ServerProcess.start({
    repositories: [fixtureModels, shippedModels],
    flags: ['--max-request-bytes', String(SMALL_LIMIT)],
  });
  const toNormal = new Senders(normal.ports);
  const toSmall = new Senders(small.ports);
  const lines: string[] = [];
  for (const [table, cases] of Object.entries(tables)) {
    for (const one of cases) {
      const start = performance.now();
      let got = '';
      let ok = false;
      try {
        const outcome = await (one.small ? toSmall : toNormal).send(one);
        got = `${outcome.status} ${outcome.message}`;
        ok = outcome.status === one.status && one.message.test(outcome.message);
      } catch (error) {
        got = String(error);
      }
      const ms = performance.now() - start;
      lines.push(
        `${ok ? 'ok  ' : 'BAD '} ${ms.toFixed(0)}ms [${table}/${one.row}] ${one.name} => ${got.slice(0, 200)}${ok ? '' : `   WANTED ${one.status} ${String(one.message).slice(0, 100)}`}`,
      );
    }
  }
  writeFileSync('/tmp/bi-explore.txt', lines.join('\n') + '\n');
  writeFileSync('/tmp/bi-log.txt', normal.lines.join('\n') + '\n=====\n' + small.lines.join('\n'));
  console.log(normal.residentBytes() / 1e6, small.residentBytes() / 1e6, normal.child.exitCode, small.child.exitCode);
  toNormal.close();
  toSmall.close();
  console.log(await normal.stop(), await small.stop());
});
