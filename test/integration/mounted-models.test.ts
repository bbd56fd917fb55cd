/** Model repositories as Kubernetes mounts them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { configMapMount } from '../support/config-map-mount.js';
import { HttpClient } from '../support/clients.js';
import { logLines } from '../support/log-lines.js';
import { ServerProcess, shippedModels } from '../support/server-process.js';

const shipped = (path: string): [string, Buffer] => [path, readFileSync(join(shippedModels, path))];
const seven = readFileSync(join(shippedModels, 'digits/samples/seven.json'));

async function served(repository: string, flags: readonly string[] = []): Promise<{ server: ServerProcess; http: HttpClient }> {
  const server = await ServerProcess.start({ repositories: [repository], flags: ['--strict-readiness', 'true', ...flags] });
  const http = new HttpClient(server.httpUrl);
  onTestFinished(async () => {
    await http.close();
    await server.stop();
  });
  return { server, http };
}

async function metadata(http: HttpClient, model: string): Promise<unknown> {
  return JSON.parse((await http.get(`/v2/models/${model}`)).body.toString());
}

async function label(http: HttpClient, model: string): Promise<unknown> {
  const { status, body } = await http.request('POST', `/v2/models/${model}/infer`, seven);
  expect(status, body.toString()).toBe(200);
  return (JSON.parse(body.toString()) as { outputs: { data: unknown }[] }).outputs[0]?.data;
}

describe('a ConfigMap mounted as a model repository', () => {
  it('is served, with every version and nothing else', async () => {
    const files = [shipped('digits/config.pbtxt'), shipped('digits/1/model.onnx'), shipped('digits/2/model.onnx')];
    const { server, http } = await served(configMapMount(new Map(files)));
    expect(await label(http, 'digits')).toEqual([7]);
    expect(await label(http, 'digits/versions/1')).toEqual([7]);
    expect(await metadata(http, 'digits')).toMatchObject({ name: 'digits', versions: ['1', '2'] });
    expect(logLines(server).filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
  });

  it('may be a single model, whose files lie at the top', async () => {
    const { http } = await served(configMapMount(new Map([['model.onnx', shipped('digits/2/model.onnx')[1]]])), [
      '--model-name',
      'pictures',
    ]);
    expect(await metadata(http, 'pictures')).toMatchObject({ name: 'pictures', versions: ['1'] });
  });
});

describe('the folder models/', () => {
  it('is a repository without anything to warn of, although it is a kustomization too', async () => {
    const { server } = await served(shippedModels);
    expect(logLines(server).filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
  });
});
