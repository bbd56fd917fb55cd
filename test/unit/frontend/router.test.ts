import { describe, expect, it } from 'vitest';
import { findRoute, MethodError } from '../../../src/frontend/http/router.js';

const codeOf = (method: string, target: string): string => {
  try {
    return findRoute(method, target).kind;
  } catch (thrown) {
    return (thrown as { code: string }).code;
  }
};

describe('the routes', () => {
  it.each([
    ['GET', '/v2', { kind: 'server-metadata' }],
    ['GET', '/health', { kind: 'probe', path: '/health' }],
    ['GET', '/v2/health/ready', { kind: 'probe', path: '/v2/health/ready' }],
    ['GET', '/v2/models/m', { kind: 'model-metadata', model: 'm', version: '' }],
    ['GET', '/v2/models/m/versions/2', { kind: 'model-metadata', model: 'm', version: '2' }],
    ['GET', '/v2/models/m/ready', { kind: 'model-ready', model: 'm', version: '' }],
    ['GET', '/v2/models/m/versions/3/config', { kind: 'model-config', model: 'm', version: '3' }],
    ['GET', '/v2/models/stats', { kind: 'model-statistics', model: '', version: '' }],
    ['GET', '/v2/models/m/versions/1/stats', { kind: 'model-statistics', model: 'm', version: '1' }],
    ['POST', '/v2/models/m/infer', { kind: 'infer', model: 'm', version: '' }],
    ['POST', '/v2/models/stats/infer', { kind: 'infer', model: 'stats', version: '' }],
    ['POST', '/v2/models/m/versions/12/infer', { kind: 'infer', model: 'm', version: '12' }],
    ['POST', '/v2/models/m/infer?key=/v2', { kind: 'infer', model: 'm', version: '' }],
    ['POST', 'http://host:8000/v2/models/m/infer', { kind: 'infer', model: 'm', version: '' }],
    ['POST', '/v2/models/a%2Fb%20%C3%A9/infer', { kind: 'infer', model: 'a/b é', version: '' }],
    ['HEAD', '/v2', { kind: 'server-metadata' }],
  ])('finds %s %s', (method, target, route) => {
    expect(findRoute(method, target)).toEqual(route);
  });

  it.each([
    ['GET', '/'],
    ['GET', ''],
    ['GET', '*'],
    ['GET', '/v2/'],
    ['GET', '/v2/models'],
    ['GET', '/v2/models/'],
    ['POST', '/v2/models//infer'],
    ['POST', '/v2/models/m/infer/'],
    ['POST', '/v2/models/m/versions//infer'],
    ['POST', '/v2/models/m/versions/1.5/infer'],
    ['POST', '/v2/models/m/versions/-1/infer'],
    ['POST', '/v2/models/m/versions/1/infer/x'],
    ['GET', '/v2/models/m/versions/1/trace/setting'],
    ['GET', '//v2'],
    ['GET', '/V2'],
    ['GET', '/health/'],
    ['POST', '/v2/repository'],
    ['POST', '/v2/repository/models/load'],
    ['GET', 'http://host'],
  ])('knows no route for %s %s', (method, target) => {
    expect(codeOf(method, target)).toBe('ERR_ROUTE_UNKNOWN');
  });

  it.each([
    ['POST', '/v2/models/m/generate'],
    ['POST', '/v2/models/m/versions/1/generate_stream'],
    ['GET', '/v2/trace/setting'],
    ['POST', '/v2/models/m/trace/setting'],
    ['GET', '/v2/logging'],
    ['POST', '/v2/repository/index'],
    ['POST', '/v2/repository/some/index'],
    ['POST', '/v2/repository/models/m/load'],
    ['POST', '/v2/repository/some/models/m/unload'],
    ['GET', '/v2/systemsharedmemory/status'],
    ['GET', '/v2/cudasharedmemory/region/r/status'],
    ['POST', '/v2/systemsharedmemory/region/r/register'],
    ['POST', '/v2/cudasharedmemory/unregister'],
  ])('knows %s %s as a part that is not offered', (method, target) => {
    expect(codeOf(method, target)).toBe('not-offered');
  });

  it.each([
    ['GET', '/v2/models/m/infer', 'POST'],
    ['POST', '/v2/models/m', 'GET, HEAD'],
    ['DELETE', '/v2', 'GET, HEAD'],
    ['GET', '/v2/repository/index', 'POST'],
    ['PUT', '/ready', 'GET, HEAD'],
  ])('refuses %s %s and says that %s is allowed', (method, target, allow) => {
    expect(() => findRoute(method, target)).toThrow(MethodError);
    expect(() => findRoute(method, target)).toThrow(expect.objectContaining({ allow, message: 'Method Not Allowed' }));
  });

  it.each(['/v2/models/%zz', '/v2/models/%', '/v2/models/%ff/infer', '/v2/models/%C3/ready'])('refuses the encoding of %s', (target) => {
    expect(codeOf(target.endsWith('infer') ? 'POST' : 'GET', target)).toBe('ERR_REQUEST_FIELD');
  });
});
