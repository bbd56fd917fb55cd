import { expect, it } from 'vitest';
import { chooseVersions, type VersionPolicy } from '../../../src/models/version-policy.js';

it.each<[VersionPolicy, number[], number[]]>([
  [{ kind: 'latest', count: 1 }, [10], []],
  [{ kind: 'latest', count: 2 }, [9, 10], []],
  [{ kind: 'latest', count: 5 }, [2, 9, 10], []],
  [{ kind: 'all' }, [2, 9, 10], []],
  [{ kind: 'specific', versions: [10, 2, 10] }, [2, 10], []],
  [{ kind: 'specific', versions: [7, 2, 3] }, [2], [3, 7]],
])('%j chooses by number, not by text, out of 10, 2 and 9', (policy, chosen, missing) => {
  expect(chooseVersions(policy, [10, 2, 9])).toEqual({ chosen, missing });
});
