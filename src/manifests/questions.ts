/** Asks on a terminal for what no flag says. */
import { createInterface } from 'node:readline';
import { OptionsError } from '../config/load.js';
import { GPU_KINDS, type Answers } from './choices.js';
import type { Component } from './catalog.js';
import { SOURCE_FORMS } from './model-source.js';

interface Terminal {
  readonly input: NodeJS.ReadableStream;
  /** Not the stream that the kustomization is written to. */
  readonly output: NodeJS.WritableStream;
}

/** Answers that come before their question, such as pasted ones, are kept for it. Throws `OptionsError` when the input ends too early. */
export async function ask(catalog: readonly Component[], { input, output }: Terminal): Promise<Partial<Answers>> {
  const lines = createInterface({ input, output });
  const answers = lines[Symbol.asyncIterator]();
  const question = async (text: string, otherwise: string): Promise<string> => {
    lines.setPrompt(`${text}${otherwise === '' ? '' : ` [${otherwise}]`}: `);
    lines.prompt();
    const next: IteratorResult<string, unknown> = await answers.next();
    if (next.done === true) throw new OptionsError(['the input ended before the last answer']);
    return next.value.trim() === '' ? otherwise : next.value.trim();
  };
  try {
    const image = await question('Image, as your registry names it', 'penstock');
    const gpu = await question(`GPU for each pod (${GPU_KINDS.join(', ')})`, 'none');
    const source = await question(`Models from (${SOURCE_FORMS})`, 'example');
    const isDownload = source.startsWith('https://');
    const checksum = isDownload ? await question('Checksum of it, sha256:HEX', '') : '';
    const as = isDownload ? await question('Path below the folder of models (empty for an archive of that folder)', '') : '';
    const replicas = await question('Replicas', '2');
    const others = catalog.filter(({ name }) => !name.startsWith('model-') && !GPU_KINDS.some((kind) => kind === name));
    for (const { name, summary } of others) output.write(`  ${name.padEnd(18)} ${summary}\n`);
    const component = (await question('More components, separated by spaces', '')).split(/[\s,]+/).filter(Boolean);
    return { image, gpu, 'model-source': source, 'model-checksum': checksum, 'model-as': as, replicas, component };
  } finally {
    lines.close();
  }
}
