/** `penstock help`. */
import { optionsHelp } from '../config/option-table.js';
import { pullHelp } from '../config/pull-options.js';

export function helpText(): string {
  return `penstock: a model server for ONNX models (KServe V2 over HTTP and gRPC)

usage: penstock [serve] [flags]             serve models until SIGTERM or SIGINT
       penstock check [flags]               load the models as serve would, say what is wrong with them, and leave
       penstock pull URI DIR [pull flags]   fetch a model file or archive (https: or file:) into a folder, and leave
       penstock manifests [flags]           print a kustomization.yaml for Kubernetes; its flags: penstock manifests --help
       penstock bench [flags]               measure a model of a running server; its flags: penstock bench --help
       penstock plan MODEL_DIR [flags]      say how many servers a model needs; its flags: penstock plan --help
       penstock help | --help               this text
       penstock --version                   the version

pull flags; --checksum or --no-checksum is needed:

${pullHelp()}

  https: goes through HTTPS_PROXY except to the hosts in NO_PROXY. PENSTOCK_PULL_AUTHORIZATION is sent as the header Authorization to the
  host in URI and to no other. A .tar, .tar.gz or .tgz is unpacked. A run that was cut off is gone on with by the next one.

flags of serve and check:

Each flag is also an environment variable and a key of the file given with --config.
The flag wins over the variable, the variable over the file, the file over the default.

${optionsHelp()}

exit codes: 0 drained, 64 bad usage or a port in use, 70 fault of the server, 73 a model or the installation was refused
of pull:    0 in its place, 64 bad usage, 73 refused (checksum, answer of the server, archive, folder), 75 not to be had now: run it again; 130 or 143 ended by a signal
of bench:   as --help of bench, bench compare and bench diff say; of plan: as its --help says
`;
}
