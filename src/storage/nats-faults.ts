import { JetStreamApiError, JetStreamError } from '@nats-io/jetstream';
import { errors, NoRespondersError, RequestError, TimeoutError } from '@nats-io/transport-node';
import { ConnectionLost } from './nats-link.ts';
import { RememberedInVain } from './nats-vain-ids.ts';

/** JetStream's codes of faults that pass: peers missing, no leader yet, system unavailable, stream offline. */
const PASSING_CODES = new Set([10_005, 10_008, 10_009, 10_023, 10_118]);
const SERVER_FAULT = 500;
const STREAM_NOT_FOUND = 10_059;

/** Whether the same call may succeed a moment later: no leader at the moment, a lost request, a server that starts. */
export function isTransient(error: unknown): boolean {
  if (error instanceof TimeoutError || error instanceof NoRespondersError) return true;
  if (error instanceof errors.ConnectionError || error instanceof ConnectionLost) return true;
  if (isWithoutJetStream(error) || error instanceof RememberedInVain) return true;
  if (error instanceof RequestError) return error.isNoResponders() || isTransient(error.cause);
  if (error instanceof JetStreamApiError)
    return error.status >= SERVER_FAULT || PASSING_CODES.has(error.code);
  return false;
}

/** No leader received the request, or the leader refused it: the request had no effect. */
export function wasNotSent(error: unknown): boolean {
  if (error instanceof NoRespondersError || isWithoutJetStream(error)) return true;
  if (error instanceof RequestError) return error.isNoResponders();
  return error instanceof JetStreamApiError;
}

/** Not exported as a class; thrown when no server listens on a stream's subject at the moment. */
export function isWithoutJetStream(error: unknown): boolean {
  return error instanceof Error && error.name === 'JetStreamNotEnabled';
}

/** NATS refuses the call with a reason. */
export function isAnswer(error: unknown): boolean {
  if (error instanceof JetStreamApiError || error instanceof JetStreamError) return true;
  return error instanceof errors.PermissionViolationError;
}

/** There is no such stream. */
export function isNotFound(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND;
}

/** This process closes its connection, or has closed it. */
export function isClosing(error: unknown): boolean {
  return error instanceof errors.ClosedConnectionError || error instanceof errors.DrainingConnectionError;
}

export function messageOf(error: unknown): string {
  if (isWithoutJetStream(error))
    return 'no server takes it: the stream has no leader, was deleted, or JetStream is off';
  return error instanceof Error ? error.message : String(error);
}
