import { api, type DataStream, read } from './api.ts';
import { useRead } from './query.ts';

/** The data streams of the organisation. */
export function useStreams(interval: (streams: readonly DataStream[] | undefined) => number = () => 0) {
  return useRead(['streams'], (signal) => read(api.GET('/api/v2/data_stream', { signal })), interval);
}

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
