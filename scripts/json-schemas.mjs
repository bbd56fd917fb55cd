/**
 * JSON schemas out of what Kubernetes publishes: OpenAPI definitions of the built-in kinds, and CustomResourceDefinitions.
 * They are stricter than their sources: an object that lists its fields has no others, as the API server has it with strict field validation.
 */

const DIALECT = 'http://json-schema.org/draft-07/schema#';
const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
const INT_OR_STRING = [{ type: 'integer' }, { type: 'string' }];
/** Says nothing about which values are right, or is said in another way here. */
const DROPPED = /^(description|default|title|example|externalDocs|format|nullable|x-.*)$/;
/** Hold rules about values, not fields: an object that is named only in part in them may have other fields. */
const RULES = ['allOf', 'anyOf', 'oneOf', 'not'];

/** `swagger`: a parsed OpenAPI 2 document. Returns `{ apiVersion, kind, schema }` of every kind that it defines, lists left out. */
export function builtInSchemas(swagger) {
  const definitions = Object.fromEntries(Object.entries(swagger.definitions).map(([name, one]) => [name, definition(name, one)]));
  const kinds = Object.entries(swagger.definitions).flatMap(([name, one]) =>
    // Some (DeleteOptions) belong to every group: nobody keeps them in a file.
    one['x-kubernetes-group-version-kind']?.length === 1 ? [{ name, ...one['x-kubernetes-group-version-kind'][0] }] : [],
  );
  return kinds
    .filter(({ kind }) => !kind.endsWith('List'))
    .map(({ name, group, version, kind }) => {
      const apiVersion = group === '' ? version : `${group}/${version}`;
      const schema = { ...object(definitions[name], apiVersion, kind), definitions: reachable(definitions, definitions[name]) };
      return { apiVersion, kind, schema };
    });
}

/** `crd`: a parsed CustomResourceDefinition; `swagger`: where the metadata of every object are described. One entry a served version. */
export function customSchemas(crd, swagger) {
  const { group, names, versions } = crd.spec;
  return versions
    .filter(({ served }) => served)
    .map(({ name, schema }) => {
      const apiVersion = `${group}/${name}`;
      const converted = strict(schema.openAPIV3Schema);
      converted.properties.metadata = { $ref: `#/definitions/${OBJECT_META}` };
      const meta = { $ref: `#/definitions/${OBJECT_META}` };
      const definitions = Object.fromEntries(Object.entries(swagger.definitions).map(([key, one]) => [key, definition(key, one)]));
      return {
        apiVersion,
        kind: names.kind,
        schema: { ...object(converted, apiVersion, names.kind), definitions: reachable(definitions, meta) },
      };
    });
}

function object(schema, apiVersion, kind) {
  const properties = { ...schema.properties, apiVersion: { const: apiVersion }, kind: { const: kind } };
  const required = [...new Set([...(schema.required ?? []), 'apiVersion', 'kind', 'metadata'])];
  return { $schema: DIALECT, ...schema, properties, required };
}

function definition(name, source) {
  // The API server takes bare numbers for these, though the document says string.
  if (name.endsWith('.resource.Quantity')) return { type: ['string', 'number'] };
  return strict(source);
}

/** A copy of `source` in which unknown fields are refused, and Kubernetes' own extensions are said in JSON schema. */
function strict(source) {
  if (source['x-kubernetes-int-or-string'] === true || source.format === 'int-or-string') return { anyOf: INT_OR_STRING };
  const schema = plain(source, strict);
  for (const rule of RULES) if (schema[rule] !== undefined) schema[rule] = rules(source[rule]);
  const isOpen = source['x-kubernetes-preserve-unknown-fields'] === true || source.additionalProperties !== undefined;
  if (source['x-kubernetes-embedded-resource'] === true) schema.required = ['apiVersion', 'kind'];
  else if (source.properties !== undefined && !isOpen) schema.additionalProperties = false;
  if (source.nullable === true && typeof schema.type === 'string') schema.type = [schema.type, 'null'];
  return schema;
}

function rules(source) {
  return Array.isArray(source) ? source.map((one) => plain(one, rules)) : plain(source, rules);
}

function plain(source, convert) {
  const schema = Object.fromEntries(Object.entries(source).filter(([key]) => !DROPPED.test(key)));
  if (source.properties !== undefined)
    schema.properties = Object.fromEntries(Object.entries(source.properties).map(([key, one]) => [key, convert(one)]));
  if (source.items !== undefined) schema.items = convert(source.items);
  if (typeof source.additionalProperties === 'object') schema.additionalProperties = convert(source.additionalProperties);
  // OpenAPI has a flag beside the limit, JSON schema a limit of its own.
  for (const [flag, limit] of [
    ['exclusiveMinimum', 'minimum'],
    ['exclusiveMaximum', 'maximum'],
  ]) {
    if (typeof schema[flag] !== 'boolean') continue;
    if (schema[flag]) schema[flag] = schema[limit];
    else delete schema[flag];
  }
  return schema;
}

/** The definitions that `schema` leads to. */
function reachable(definitions, schema) {
  const found = {};
  const visit = (value) => {
    if (typeof value !== 'object' || value === null) return;
    const name = typeof value.$ref === 'string' ? value.$ref.replace('#/definitions/', '') : undefined;
    if (name !== undefined && found[name] === undefined) {
      found[name] = definitions[name];
      visit(definitions[name]);
    }
    Object.values(value).forEach(visit);
  };
  visit(schema);
  return found;
}
