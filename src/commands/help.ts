/** `penstock help`. */
import { optionsHelp } from '../config/option-table.js';

export function helpText(): string {
  return `penstock: a model server for ONNX models (KServe V2 over HTTP and gRPC)

usage: penstock [serve] [flags]   serve models until SIGTERM or SIGINT
       penstock check [flags]     load the models as serve would, say what is wrong with them, and leave
       penstock help | --help     this text
       penstock --version         the version

Each flag is also an environment variable and a key of the file given with --config.
The flag wins over the variable, the variable over the file, the file over the default.

${optionsHelp()}

exit codes: 0 drained, 64 bad usage or a port in use, 70 fault of the server, 73 a model or the installation was refused
`;
}
