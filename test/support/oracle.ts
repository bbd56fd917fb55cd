/** Golden outputs: onnxruntime-node on the same model file, in a process of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { TestTensor } from './tensors.js';

const SCRIPT = fileURLToPath(new URL('oracle.mjs', import.meta.url));

interface WireTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: number[];
  readonly raw: string;
}

/** The outputs of `model` (path of its file) for each batch of inputs. FP32, INT32 and INT64 only. */
export async function oracleOutputs(model: string, batches: readonly (readonly TestTensor[])[]): Promise<TestTensor[][]> {
  const child = spawn(process.execPath, [SCRIPT], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // No reports to Microsoft from tests.
    env: { ...process.env, ORT_DISABLE_TELEMETRY: '1' },
  });
  const wire = batches.map((tensors) => tensors.map((tensor) => ({ ...tensor, raw: tensor.raw.toString('base64') })));
  child.stdin.end(JSON.stringify({ model, batches: wire }));
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`the oracle ended with code ${code}`);
  const answers = JSON.parse(Buffer.concat(chunks).toString()) as WireTensor[][];
  return answers.map((tensors) => tensors.map((tensor) => ({ ...tensor, raw: Buffer.from(tensor.raw, 'base64') })));
}
