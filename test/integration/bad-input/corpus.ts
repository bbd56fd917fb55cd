/** Every bad request, one table after the other. */
import type { BadCase } from './bad-case.js';
import { compressionCases } from './compression-cases.js';
import { grpcFrameCases } from './grpc-frame-cases.js';
import { grpcMessageCases } from './grpc-message-cases.js';
import { httpFramingCases } from './http-framing-cases.js';
import { httpHeaderCases } from './http-header-cases.js';
import { httpRouteCases } from './http-route-cases.js';
import { jsonCases } from './json-cases.js';
import { jsonGrammarCases } from './json-grammar-cases.js';
import { tensorShapeCases } from './tensor-shape-cases.js';
import { tensorSizeCases } from './tensor-size-cases.js';
import { tensorTypeCases } from './tensor-type-cases.js';

export const tables: Readonly<Record<string, readonly BadCase[]>> = {
  'HTTP framing': httpFramingCases,
  'HTTP methods and paths': httpRouteCases,
  'HTTP headers': httpHeaderCases,
  'compressed bodies': compressionCases,
  'JSON documents': jsonCases,
  'JSON grammar and numbers': jsonGrammarCases,
  'tensor shapes': tensorShapeCases,
  'tensor sizes': tensorSizeCases,
  'tensor types': tensorTypeCases,
  'gRPC messages': grpcMessageCases,
  'gRPC frames': grpcFrameCases,
};

export const corpus: readonly BadCase[] = Object.values(tables).flat();
