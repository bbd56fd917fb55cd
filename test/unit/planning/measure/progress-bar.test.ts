import { describe, expect, it } from 'vitest';
import { ProgressBar } from '../../../../src/planning/measure/progress-bar.js';

const at = (share: number, text = 'b8-l1-t1: 100 requests per second'): Parameters<ProgressBar['show']>[0] => ({
  done: 7,
  share,
  secondsLeft: (1 - share) * 240,
  text,
});
const LINE = '[#####...............]  25 %, 3:00 left, 7 trials; b8-l1-t1: 100 requests per second';

describe('ProgressBar', () => {
  it('rewrites one line of a terminal, no longer than that', () => {
    const written: string[] = [];
    const bar = new ProgressBar({ isTTY: true, columns: 100, write: (text) => written.push(text) });
    bar.clear();
    bar.show(at(0.25));
    bar.show(at(1, 'x'.repeat(200)));
    bar.clear();
    bar.clear();
    expect(written[0]).toBe(`\r\u001b[K${LINE}`);
    expect(written[1]?.slice(4)).toMatch(/^\[#{20}\] 100 %, 0:00 left, 7 trials; x+$/);
    expect(written[1]).toHaveLength(4 + 99);
    expect(written.slice(2)).toEqual(['\r\u001b[K']);
  });

  it('writes a line every ten seconds where there is no terminal', () => {
    const written: string[] = [];
    let nowS = 5;
    const bar = new ProgressBar({ write: (text) => written.push(text) }, () => nowS);
    for (; nowS < 30; nowS++) bar.show(at(0.25));
    bar.clear();
    expect(written).toEqual([`${LINE}\n`, `${LINE}\n`, `${LINE}\n`]);
  });
});
