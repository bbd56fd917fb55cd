/** Names of metrics in PromQL, by Prometheus' own grammar. */
import { parser } from '@prometheus-io/lezer-promql';

const NODE_OF_NAME = 'Identifier';
const NODES_OF_SELECTORS = ['VectorSelector', 'MetricName'];

/** Throws when `query` is not PromQL. Templates (`{{args.service}}`, `$namespace`, `[$__rate_interval]`) are taken for what they stand for. */
export function metricsIn(query: string): string[] {
  const text = withoutTemplates(query);
  const found = new Set<string>();
  parser.parse(text).iterate({
    enter: (node) => {
      if (node.type.isError) throw new Error(`not PromQL at ${JSON.stringify(text.slice(node.from, node.from + 40))}: ${query}`);
      const isName = node.name === NODE_OF_NAME && NODES_OF_SELECTORS.includes(node.node.parent?.name ?? '');
      if (isName) found.add(text.slice(node.from, node.to));
      // {__name__="penstock_gpu_health"}
      const [, name] = node.name === 'UnquotedLabelMatcher' ? (/^__name__\s*=\s*"(\w+)"$/.exec(text.slice(node.from, node.to)) ?? []) : [];
      if (name !== undefined) found.add(name);
    },
  });
  return [...found];
}

function withoutTemplates(query: string): string {
  return query
    .replace(/\[\s*(\{\{[^}]*\}\}|\$\{?\w+\}?)\s*([:\]])/g, '[5m$2')
    .replace(/:\s*(\{\{[^}]*\}\}|\$\{?\w+\}?)\s*\]/g, ':5m]')
    .replace(/\{\{[^}]*\}\}|\$\{\w+(:\w+)?\}|\$\w+/g, '1');
}
