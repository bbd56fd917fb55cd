/** Runs in a container of the image: `node inside.mjs PART`. Ends with 0 when the part holds, else tells what does not. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';

const APP = '/opt/penstock';
const HTTP = 'http://127.0.0.1:8000';
const MANAGEMENT = 'http://127.0.0.1:8002';
const IS_A_SEVEN = [7];

const samples = (name) => readFileSync(path.join('/models/digits/samples', name), 'utf8');
const ready = async () => (await fetch(`${MANAGEMENT}/ready`)).status;

async function label() {
  const reply = await fetch(`${HTTP}/v2/models/digits/infer`, { method: 'POST', body: samples('seven.json') });
  const text = await reply.text();
  assert.equal(reply.status, 200, text);
  return JSON.parse(text).outputs.find(({ name }) => name === 'label').data;
}

function restricted() {
  const [user, group] = process.env.PENSTOCK_TEST_IDS.split(':').map(Number);
  const server = readFileSync('/proc/1/status', 'utf8');
  const line = (name) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(server)?.[1];
  assert.equal(line('Uid'), Array(4).fill(user).join('\t'));
  assert.equal(line('Gid'), Array(4).fill(group).join('\t'));
  assert.match(line('CapEff'), /^0+$/);
  assert.match(line('CapBnd'), /^0+$/);
  assert.equal(line('NoNewPrivs'), '1');
  assert.equal(line('Seccomp'), '2');
  // The server is process 1 itself, so it gets the signals.
  assert.equal(readFileSync('/proc/1/cmdline', 'utf8').split('\0').slice(0, 2).join(' '), 'node dist/main.js');
  for (const folder of ['/', '/tmp', '/var/tmp', APP, '/models', '/etc/penstock']) {
    assert.throws(() => writeFileSync(path.join(folder, 'written'), ''), { code: 'EROFS' }, `${folder} can be written`);
  }
  // The one place where it may write: some libraries share memory there.
  writeFileSync('/dev/shm/written', '');
}

/** Of either version of cgroups. */
function limited() {
  const files = ['/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes'].filter((file) => existsSync(file));
  assert.deepEqual(
    files.map((file) => readFileSync(file, 'utf8').trim()),
    [process.env.PENSTOCK_TEST_MEMORY_BYTES],
  );
}

function contents() {
  const tools = ['g++', 'gcc', 'cc', 'c++', 'clang', 'clang++', 'cmake', 'make', 'ninja', 'ld', 'nvcc'];
  const found = tools
    .flatMap((tool) => process.env.PATH.split(':').map((folder) => path.join(folder, tool)))
    .filter((file) => existsSync(file));
  assert.deepEqual(found, []);

  const { devDependencies } = JSON.parse(readFileSync(path.join(APP, 'package.json'), 'utf8'));
  const modules = path.join(APP, 'node_modules');
  assert.deepEqual(
    Object.keys(devDependencies).filter((name) => existsSync(path.join(modules, name))),
    [],
  );
  // Optional for piscina, never loaded, and a native library.
  assert.equal(existsSync(path.join(modules, '@napi-rs')), false);
  assert.deepEqual(
    readdirSync(path.join(modules, 'onnxruntime-node', 'bin'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => entry.name),
    ['libonnxruntime.so.1'],
  );
  assert.deepEqual(readdirSync(APP).sort(), ['LICENSE', 'build', 'dist', 'node_modules', 'package.json', 'proto']);

  const entries = readdirSync(APP, { recursive: true, withFileTypes: true });
  assert.ok(entries.length > 100, `only ${entries.length} files`);
  for (const entry of entries) {
    // Links could lead out of the image; none is needed.
    assert.ok(entry.isFile() || entry.isDirectory(), `${entry.parentPath}/${entry.name} is neither a file nor a folder`);
    accessSync(path.join(entry.parentPath, entry.name), entry.isDirectory() ? constants.R_OK | constants.X_OK : constants.R_OK);
  }
}

async function grpcLabel() {
  const require = createRequire(path.join(APP, 'package.json'));
  const grpc = require('@grpc/grpc-js');
  const definition = require('@grpc/proto-loader').loadSync('grpc_service.proto', {
    includeDirs: [path.join(APP, 'proto')],
    keepCase: true,
  });
  const { GRPCInferenceService } = grpc.loadPackageDefinition(definition).inference;
  const request = JSON.parse(samples('seven.grpc.json'));
  request.raw_input_contents = request.raw_input_contents.map((text) => Buffer.from(text, 'base64'));
  const client = new GRPCInferenceService('127.0.0.1:8001', grpc.credentials.createInsecure());
  try {
    const reply = await new Promise((resolve, reject) => {
      client.ModelInfer(request, (error, response) => (error ? reject(error) : resolve(response)));
    });
    return Number(reply.raw_output_contents[reply.outputs.findIndex(({ name }) => name === 'label')].readBigInt64LE());
  } finally {
    client.close();
  }
}

/** With the generator and the libnghttp2 of the image; it keeps its files in the one place where it may write. */
function bench() {
  const flags = ['--url', 'grpc://127.0.0.1:8001', '--model', 'digits', '--closed-loop', '2', '--warm-up', '0', '--duration', '1'];
  const file = '/dev/shm/bench.json';
  const env = { ...process.env, TMPDIR: '/dev/shm' };
  const { status, stderr } = spawnSync('node', ['dist/main.js', 'bench', ...flags, '--json', file], { cwd: APP, env, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  const text = readFileSync(file, 'utf8');
  assert.ok(Number(/"answered": *(\d+)/.exec(text)?.[1]) > 0, text);
}

const parts = {
  ready: async () => assert.equal(await ready(), 200),
  restricted,
  limited,
  contents,
  http: async () => assert.deepEqual(await label(), IS_A_SEVEN),
  grpc: async () => assert.deepEqual([await grpcLabel()], IS_A_SEVEN),
  bench,
  /** Called right after SIGTERM, within the drain delay. */
  drains: async () => {
    assert.equal(await ready(), 503);
    assert.deepEqual(await label(), IS_A_SEVEN);
  },
};

try {
  await parts[process.argv[2]]();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
