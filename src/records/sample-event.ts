import { EVENT_TYPES } from './event-types.ts';
import { RECORD_EXAMPLES } from './examples.ts';

const SEVERITIES = { Info: '{"id": 0, "description": "INFO"}', Warn: '{"id": 1, "description": "WARN"}' };
const SOURCES = { Network: 0, 'Policy Control': 1, API: 2 } as const;
/** The type of the example itself. */
const CREATE_PDP_CONTEXT = 3;

/**
 * The example event as one of another type would be: type, texts, severity, alert and source as usual; without the detail,
 * which differs from type to type. Its text is changed, not its value: the id has more digits than a double.
 */
export function sampleEvent(typeId: number): string {
  const example = RECORD_EXAMPLES.event;
  if (typeId === CREATE_PDP_CONTEXT) return example;
  const { name, usual } = EVENT_TYPES.get(typeId) ?? { name: `Type ${typeId}`, usual: undefined };
  const members: Readonly<Record<string, string>> = {
    event_type: `{"id": ${typeId}, "description": ${JSON.stringify(name)}}`,
    description: JSON.stringify(name),
    detail: 'null',
    ...(usual
      ? {
          event_severity: SEVERITIES[usual.severity],
          alert: String(usual.alert),
          event_source: `{"id": ${SOURCES[usual.source]}, "description": "${usual.source}"}`,
        }
      : {}),
  };
  // Each member of the example is a line of its own.
  return example.replace(/^ {2}"(\w+)": (.*?)(,?)$/gm, (line, member: string, _, comma: string) =>
    Object.hasOwn(members, member) ? `  "${member}": ${members[member]}${comma}` : line,
  );
}
