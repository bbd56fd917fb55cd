/** Do manifests say only what the API server understands? Asked of kubeconform, by the schemas that scripts/kubernetes-schemas.mjs writes. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { repositoryRoot } from '../support/server-process.js';
import type { Manifest } from './kustomize.js';
import { toolEnvironment } from './tools.js';

const LAYOUT = join(repositoryRoot, 'build/kubernetes/schemas/{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json');

interface Report {
  readonly resources?: readonly {
    readonly kind: string;
    readonly name: string;
    readonly msg: string;
  }[];
  readonly summary?: { readonly valid: number };
}

/** One complaint a fault, such as `Deployment penstock: /spec: additional properties 'replica' not allowed`; none when all is well. */
export async function conforms(manifests: readonly Manifest[]): Promise<string[]> {
  // What several builds have in common is checked once.
  const documents = [...new Set(manifests.map((manifest) => JSON.stringify(manifest)))];
  const report = await kubeconform(documents.join('\n---\n'));
  const complaints = (report.resources ?? []).flatMap(({ kind, name, msg }) => faults(msg).map((fault) => `${kind} ${name}: ${fault}`));
  const valid = report.summary?.valid ?? 0;
  if (complaints.length === 0 && valid !== documents.length) complaints.push(`${documents.length - valid} manifests were not checked`);
  return complaints;
}

/** The message is the whole tree of what failed in one line; its list `validationErrors` leaves out what stands below a reference. */
function faults(message: string): string[] {
  const found = [...message.matchAll(/ - at '([^']*)': (.*?)(?= +- at '|$)/g)].map(([, path, fault]) => `${path}: ${fault}`);
  const leaves = found.filter((fault) => !fault.endsWith(': validation failed'));
  return leaves.length > 0 ? leaves : [message];
}

function kubeconform(input: string): Promise<Report> {
  return new Promise((resolve, reject) => {
    const child = spawn('kubeconform', ['-strict', '-output', 'json', '-summary', '-schema-location', LAYOUT], { env: toolEnvironment });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
    child.on('error', reject);
    child.on('close', () => {
      try {
        resolve(JSON.parse(stdout) as Report);
      } catch {
        reject(new Error(`kubeconform: ${stderr}${stdout}`));
      }
    });
    child.stdin.on('error', () => {}); // It may end without reading everything.
    child.stdin.end(input);
  });
}
