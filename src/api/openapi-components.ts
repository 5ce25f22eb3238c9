import type { TSchema } from 'typebox';

/** Keywords of a schema for the document only; validation ignores both. */
export interface DocumentKeywords {
  /** Gives the schema a name: it appears once among the components, and generated clients name a type after it. */
  readonly 'x-component'?: string;
  /** The forms that this value can take, where validation looks at them elsewhere. */
  readonly 'x-any-of'?: readonly TSchema[];
  readonly [keyword: string]: unknown;
}

/** Translates schemas of the route table to those of the document, and gathers the named ones. */
export class Components {
  readonly schemas: Record<string, object> = {};

  translate(schema: TSchema): object {
    return this.#schema(schema as DocumentKeywords);
  }

  #schema({ 'x-component': name, ...schema }: DocumentKeywords): object {
    if (name === undefined) return this.#inline(schema);
    if (!Object.hasOwn(this.schemas, name)) {
      // Its place is taken first: a schema may contain itself.
      this.schemas[name] = {};
      this.schemas[name] = this.#inline(schema);
    }
    return { $ref: `#/components/schemas/${name}` };
  }

  #inline({ 'x-any-of': forms, ...schema }: DocumentKeywords): object {
    const translated: Record<string, unknown> = {};
    for (const [keyword, value] of Object.entries(schema))
      translated[keyword] = this.#keyword(keyword, value);
    if (forms) translated.anyOf = forms.map((form) => this.translate(form));
    return translated;
  }

  #keyword(keyword: string, value: unknown): unknown {
    if (keyword === 'properties' || keyword === 'patternProperties') {
      const entries = Object.entries(value as Record<string, DocumentKeywords>);
      return Object.fromEntries(entries.map(([name, property]) => [name, this.#schema(property)]));
    }
    if (keyword === 'anyOf' || keyword === 'oneOf' || keyword === 'allOf' || keyword === 'prefixItems') {
      return (value as DocumentKeywords[]).map((each) => this.#schema(each));
    }
    const isSchema = keyword === 'items' || keyword === 'not' || keyword === 'additionalProperties';
    return isSchema && typeof value === 'object' && value !== null
      ? this.#schema(value as DocumentKeywords)
      : value;
  }
}
