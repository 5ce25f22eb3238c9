import type { components } from '../generated/api.ts';

type Answer = components['schemas']['DataStreamPreview'];

/** The records of the last 24 hours that a data stream would deliver. */
export interface Preview {
  readonly hours: Answer['hours'];
  readonly complete: boolean;
  readonly request: NonNullable<Answer['sample_request']>['request'] | undefined;
  /** Records as text: their ids have more digits than a number of JavaScript. */
  readonly samples: readonly string[];
}

const SAMPLES = '"samples":';

/** Reads the body of an answer, in which the samples come last. */
export function readPreview(text: string): Preview {
  const { hours, complete, sample_request } = JSON.parse(text) as Answer;
  const place = text.indexOf(`,${SAMPLES}`);
  return {
    hours,
    complete,
    request: sample_request?.request,
    samples: place < 0 ? [] : elementsOf(text.slice(place + 1 + SAMPLES.length)),
  };
}

/** The elements of a JSON list, each as its own text; what stands behind the list is left alone. */
export function elementsOf(list: string): string[] {
  const elements: string[] = [];
  let depth = 0;
  let begin = -1;
  let quoted = false;
  for (let at = 0; at < list.length; at++) {
    const character = list[at] as string;
    if (quoted) {
      if (character === '\\') at++;
      else if (character === '"') quoted = false;
      continue;
    }
    const closes = character === ']' || character === '}';
    if (begin >= 0 && depth === 1 && (character === ',' || character === ']')) {
      elements.push(list.slice(begin, at).trim());
      begin = -1;
    }
    if (closes) {
      depth--;
      if (depth === 0) break;
      continue;
    }
    if (depth === 1 && begin < 0 && character !== ',' && !/\s/.test(character)) begin = at;
    if (character === '"') quoted = true;
    else if (character === '[' || character === '{') depth++;
  }
  return elements;
}

/** Records of all hours, and how many of them pass. */
export function totals(hours: Preview['hours']): { readonly records: number; readonly matched: number } {
  return {
    records: hours.reduce((sum, { records }) => sum + records, 0),
    matched: hours.reduce((sum, { matched }) => sum + matched, 0),
  };
}
