/** Data streams and replays, which have filters. */
const WITH_FILTERS = /^\/api\/v2\/data_stream(\/[0-9a-f]{8}(\/replay.*)?)?$/;
/** A number that JavaScript may round. Other texts of digits only cost a second look. */
const LONG_NUMBER = /[\d.]{16}|\d[eE][+-]?\d{3}/;

/**
 * The answer with integers that JavaScript would round as texts. The filters of a data stream may have ids of 64 bits: the form
 * shows them as they are, and sends no other number back. A text in a filter also equals the number that it writes.
 * @param path of the call
 */
export async function withLongNumbers(path: string, answer: Response): Promise<Response> {
  if (!WITH_FILTERS.test(path) || !answer.headers.get('content-type')?.startsWith('application/json'))
    return answer;
  const text = await answer.text();
  return new Response(LONG_NUMBER.test(text) ? JSON.stringify(JSON.parse(text, keepDigits)) : text, answer);
}

function keepDigits(
  _: string,
  value: unknown,
  ...[context]: readonly { readonly source?: string }[]
): unknown {
  const source = context?.source;
  const rounded =
    typeof value === 'number' &&
    source !== undefined &&
    /^-?\d+$/.test(source) &&
    !Number.isSafeInteger(value);
  return rounded ? source : value;
}
