// Creates a data stream to a webhook, waits until it runs, and shows all data streams.
//   SIMSTREAM_URL=http://127.0.0.1:8080 APPLICATION_TOKEN=… WEBHOOK=https://example.com/in node data-streams.mjs
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'simstream/client';

const { SIMSTREAM_URL, APPLICATION_TOKEN, WEBHOOK } = process.env;
const client = createClient({ url: SIMSTREAM_URL, applicationToken: APPLICATION_TOKEN });

/** The data of an answer, or the reason why there is none. */
const done = ({ data, error }) => {
  if (error) throw new Error(`${error.error_token}: ${error.message}`);
  return data;
};

const created = await client.POST('/api/v2/data_stream', {
  body: {
    name: 'All events',
    data_stream_type: { id: 2 },
    destination: { connection_type: 'RestAPI', credentials: { url: WEBHOOK } },
  },
});
done(created);
const id = created.response.headers.get('location').split('/').at(-1);

for (let tries = 0; tries < 60; tries++) {
  const { status } = done(await client.GET('/api/v2/data_stream/{id}', { params: { path: { id } } }));
  if (status.description !== 'Pending') break;
  await sleep(500);
}
for (const { name, status, progress } of done(await client.GET('/api/v2/data_stream'))) {
  console.log(`${name}: ${status.description}, ${progress.delivered} records delivered`);
}
