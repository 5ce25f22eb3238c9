import type { DestinationType } from './contract.ts';

interface Property {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly enum?: readonly unknown[];
  readonly items?: Property;
  readonly 'x-secret'?: string;
}

/**
 * The table of a connection type's fields for its guide in docs/destinations, in Markdown; a test holds each guide to it.
 * Shows what the schema says: name, whether it must be given, type and range, default, and what it is for.
 */
export function fieldTable({ credentials }: DestinationType): string {
  const required = new Set<string>(credentials.required ?? []);
  const rows = Object.entries(credentials.properties as Record<string, Property>).map(([name, property]) => {
    const needed = required.has(name) && property.default === undefined ? 'yes' : 'no';
    const initial = property.default === undefined ? '–' : `\`${String(property.default)}\``;
    // Of a URL a part is masked, and its description says which.
    const secret = property['x-secret'] && property['x-secret'] !== 'url' ? ' Shown masked.' : '';
    return `| \`${name}\` | ${needed} | ${valuesOf(property)} | ${initial} | ${cell(property.description ?? '')}${secret} |`;
  });
  return ['| field | needed | values | default | meaning |', '| --- | --- | --- | --- | --- |', ...rows].join(
    '\n',
  );
}

function valuesOf(property: Property): string {
  if (property.enum) return property.enum.map((value) => `\`${String(value)}\``).join(', ');
  const { minimum, maximum, maxLength, maxItems } = property;
  if (property.type === 'array') {
    const of = property.items?.type === 'string' ? ' of texts' : '';
    return `array${of}${maxItems === undefined ? '' : `, up to ${maxItems}`}`;
  }
  if (property.type === 'string')
    return maxLength === undefined ? 'text' : `text, up to ${maxLength} characters`;
  const range =
    minimum === undefined && maximum === undefined ? '' : `, ${minimum ?? '…'} to ${maximum ?? '…'}`;
  return `${property.type ?? 'any'}${range}`;
}

/** A bar would end the cell. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replace(/\s+/g, ' ');
}
