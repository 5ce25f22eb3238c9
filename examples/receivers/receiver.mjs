import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const { SIGNING_SECRET: secret, PORT: port = '9000' } = process.env;
const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice(6), 'base64') : Buffer.from(secret);
const seen = new Set(); // In production: a unique index of your database.

function isGenuine(headers, body) {
  const id = headers['webhook-id'];
  const timestamp = headers['webhook-timestamp'];
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) < 300)) return false; // Not a request of long ago.
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest();
  const given = Buffer.from(String(headers['webhook-signature']).replace(/^v1,/, ''), 'base64');
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** Keeps ids as text: a number of JavaScript has 53 bits. */
const exactly = (name, value, { source }) => (name === 'id' ? source : value);

createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  if (!isGenuine(request.headers, body)) return response.writeHead(401).end('The signature is wrong.');
  let stored = 0;
  for (const record of [JSON.parse(body, exactly)].flat()) {
    const kind = record.traffic_type ? 'usage' : record.event_type ? 'event' : 'sms';
    const name = `${kind} ${record.id}`;
    if (seen.has(name)) continue;
    seen.add(name); // In production: store the record in the same transaction.
    stored += 1;
  }
  response.end(`stored ${stored}`);
}).listen(Number(port), '127.0.0.1', () => console.log('ready'));
