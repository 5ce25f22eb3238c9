import { api, read } from './api.ts';
import { useRead } from './query.ts';

/** Where records can go. */
export function useConnectionTypes() {
  return useRead(['types'], (signal) => read(api.GET('/api/v2/data_stream/connection_type', { signal })));
}

/** What events are called. */
export function useEventTypes() {
  return useRead(['event types'], (signal) => read(api.GET('/api/v1/event/type', { signal })));
}

/** What a customer has to know of the platform; see `GET /api/v2/data_stream/platform`. */
export function usePlatform() {
  return useRead(['platform'], (signal) => read(api.GET('/api/v2/data_stream/platform', { signal })));
}
