import { buildOpenApi } from '../src/api/openapi.ts';
import { apiRoutes } from '../src/api/routes.ts';
import { destinationTypes } from '../src/destinations/all.ts';

/** The parts of JSON Schema and OpenAPI 3.1 that the project's own document uses. */
interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly description?: string;
}
interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly required?: boolean;
  readonly schema: Schema;
}
type Content = Readonly<Record<string, { readonly schema: Schema }>>;
interface Operation {
  readonly summary?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

const METHODS = ['get', 'put', 'post', 'delete', 'patch'];

/**
 * TypeScript types of the API's paths with one of these beginnings, in the form that `openapi-fetch` reads, from the project's own OpenAPI document.
 * This is our own small generator, because `openapi-typescript` needs the JavaScript API of TypeScript 5, which 7 lacks.
 */
export function apiTypes(beginnings: readonly string[]): string {
  // The document comes from the table alone: no handler runs, so the parts that handlers need can be missing.
  const routes = apiRoutes({ destinationTypes } as Parameters<typeof apiRoutes>[0]);
  const { paths, components } = buildOpenApi(routes, '') as unknown as Document;
  const wanted = Object.entries(paths).filter(([path]) =>
    beginnings.some((beginning) => path.startsWith(beginning)),
  );
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) => `    ${name}: ${typeOf(schema, '    ')};`,
  );
  return `// Written by \`npm run generate\` from the project's OpenAPI document. Not to be edited.

export interface paths {
${wanted.map(([path, item]) => pathItem(path, item)).join('\n')}
}

export interface components {
  schemas: {
${schemas.join('\n')}
  };
}
`;
}

function pathItem(path: string, item: Readonly<Record<string, Operation>>): string {
  const methods = METHODS.map((method) => {
    const operation = item[method];
    return operation ? `    ${method}: ${operationType(operation)};` : `    ${method}?: never;`;
  });
  const none = '{ query?: never; header?: never; path?: never; cookie?: never }';
  return `  ${JSON.stringify(path)}: {\n    parameters: ${none};\n${methods.join('\n')}\n  };`;
}

function operationType({ parameters = [], requestBody, responses }: Operation): string {
  const place = (where: Parameter['in']) => {
    const here = parameters.filter((parameter) => parameter.in === where);
    if (here.length === 0) return `${where}?: never`;
    const fields = here.map(
      ({ name, required, schema }) => `${name}${required ? '' : '?'}: ${typeOf(schema, '')}`,
    );
    const optional = here.some(({ required }) => required) ? '' : '?';
    return `${where}${optional}: { ${fields.join('; ')} }`;
  };
  const answers = Object.entries(responses).map(
    ([status, { content }]) =>
      `        ${status}: { headers: Record<string, unknown>; ${contentOf(content)} };`,
  );
  const body = requestBody
    ? `requestBody${requestBody.required ? '' : '?'}: { ${contentOf(requestBody.content)} }`
    : 'requestBody?: never';
  return `{
      parameters: { ${place('query')}; header?: never; ${place('path')}; cookie?: never };
      ${body};
      responses: {
${answers.join('\n')}
      };
    }`;
}

function contentOf(content: Content | undefined): string {
  if (!content) return 'content?: never';
  const types = Object.entries(content).map(
    ([type, { schema }]) => `${JSON.stringify(type)}: ${typeOf(schema, '        ')}`,
  );
  return `content: { ${types.join('; ')} }`;
}

function typeOf(schema: Schema, indent: string): string {
  if (schema.$ref) return `components['schemas']['${schema.$ref.split('/').at(-1)}']`;
  if (schema.anyOf) return schema.anyOf.map((each) => typeOf(each, indent)).join(' | ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  const { type } = schema;
  if (typeof type === 'object') {
    return type.map((each) => typeOf({ ...schema, type: each }, indent)).join(' | ');
  }
  switch (type) {
    case 'string':
    case 'boolean':
    case 'null':
      return type;
    case 'integer':
    case 'number':
      return 'number';
    case 'array':
      return `Array<${schema.items ? typeOf(schema.items, indent) : 'unknown'}>`;
    case 'object':
      return objectType(schema, indent);
    default:
      return 'unknown';
  }
}

function objectType({ properties, required = [], ...rest }: Schema, indent: string): string {
  if (!properties) {
    const [pattern] = Object.values(rest.patternProperties ?? {});
    const values = pattern ?? rest.additionalProperties;
    return `Record<string, ${typeof values === 'object' ? typeOf(values, indent) : 'unknown'}>`;
  }
  const inner = `${indent}  `;
  const fields = Object.entries(properties).map(([name, schema]) => {
    const comment = schema.description
      ? `${inner}/** ${schema.description.replaceAll('*/', '* /')} */\n`
      : '';
    return `${comment}${inner}${JSON.stringify(name)}${required.includes(name) ? '' : '?'}: ${typeOf(schema, inner)};`;
  });
  return `{\n${fields.join('\n')}\n${indent}}`;
}
