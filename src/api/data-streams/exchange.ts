import { Type } from 'typebox';
import type { Exchange } from '../../destinations/contract.ts';
import { nullable } from './schema.ts';

const Headers = Type.Array(Type.Object({ name: Type.String(), value: Type.String() }), {
  description: 'Values that may be secret are `***`',
});
const body = {
  headers: Headers,
  body: Type.String({ description: 'The beginning of the body' }),
  body_cut: Type.Boolean({ description: 'The body is longer than what is shown' }),
};

/** A request and its answer, in the form of the API. */
export const ExchangeSchema = Type.Object(
  {
    request: Type.Object({ method: Type.String(), url: Type.String(), ...body }),
    answer: nullable(
      Type.Object({ status: Type.Integer(), ...body }, { description: 'Null: no answer came' }),
    ),
  },
  { 'x-component': 'Exchange' },
);

export function showExchange({ method, url, answer, ...request }: Exchange) {
  return {
    request: { method, url, ...shown(request) },
    answer: answer ? { status: answer.status, ...shown(answer) } : null,
  };
}

function shown({ headers, body: { text, cut } }: Pick<Exchange, 'headers' | 'body'>) {
  return { headers: headers.map(([name, value]) => ({ name, value })), body: text, body_cut: cut };
}
