import { api, read } from './api.ts';
import { useRead } from './query.ts';

/** Where records can go. */
export function useConnectionTypes() {
  return useRead(['types'], (signal) => read(api.GET('/api/v2/data_stream/connection_type', { signal })));
}

/** Names of event types. */
export function useEventTypes() {
  return useRead(['event types'], (signal) => read(api.GET('/api/v1/event/type', { signal })));
}

/** Facts that a customer needs about the platform; see `GET /api/v2/data_stream/platform`. */
export function usePlatform() {
  return useRead(['platform'], (signal) => read(api.GET('/api/v2/data_stream/platform', { signal })));
}
