/** The routes that only tell: probes, server and model documents, statistics. */
import { modelConfig, modelMetadata, modelStatistics } from '../../bridge/catalog.js';
import { currentHealth } from '../../bridge/health-snapshot.js';
import { probeAnswer } from '../../bridge/probe-answers.js';
import { ServerError } from '../../errors.js';
import { serverMetadata } from '../server-metadata.js';
import { statisticsDocument } from '../statistics-document.js';
import type { Exchange } from './exchange.js';
import type { Route } from './router.js';

export type InformationRoute = Exclude<Route, { readonly kind: 'infer' }>;

/** Throws what the route's question leads to; the caller answers it. */
export function answerInformation(exchange: Exchange, route: InformationRoute, serverVersion: string): void {
  switch (route.kind) {
    case 'probe': {
      const answer = probeAnswer(route.path, currentHealth());
      if (answer === undefined) throw new ServerError('ERR_ROUTE_UNKNOWN', 'Not Found');
      exchange.sendJson(answer.status, answer.body, ['Cache-Control', 'no-store']);
      return;
    }
    case 'server-metadata':
      exchange.sendJson(200, JSON.stringify(serverMetadata(serverVersion)));
      return;
    case 'model-metadata':
      exchange.sendJson(200, modelMetadata(route.model, route.version));
      return;
    case 'model-ready':
      // A version has a metadata document to give exactly while it is ready.
      modelMetadata(route.model, route.version);
      exchange.sendJson(200, JSON.stringify({ name: route.model, ready: true }));
      return;
    case 'model-config':
      exchange.sendJson(200, modelConfig(route.model, route.version));
      return;
    case 'model-statistics':
      exchange.sendJson(200, JSON.stringify(statisticsDocument(modelStatistics(route.model, route.version))));
      return;
    case 'not-offered':
      throw new ServerError('ERR_NOT_SUPPORTED', `${route.feature} is not offered by this server`);
  }
}
