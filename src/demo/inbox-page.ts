import { escapeHtml, htmlPage } from '../lib/html.ts';
import type { InboxRequest, InboxSummary } from './inbox.ts';

/** Characters of a body that the page shows; the JSON form has all that is kept. */
const SHOWN_BODY = 8 * 1024;
/** Seconds between reloads: soon enough to watch, late enough to read. */
const REFRESH = 10;

/** The page of one inbox, for browsers. */
export function inboxPage(summary: InboxSummary, requests: readonly InboxRequest[]): string {
  const name = escapeHtml(summary.name);
  const empty = `<p>No request has arrived yet. Deliver to this address, or try
<code>curl -d '{"hello":1}' …/inbox/${name}</code>. With <code>?answer=503</code> it answers with this status.</p>`;
  return htmlPage(
    `Inbox ${summary.name}`,
    `<h1>Inbox ${name}</h1>
<table>
<tr><th>Requests</th><td>${number(summary.requests)}</td></tr>
<tr><th>Records</th><td>${number(summary.records)}</td></tr>
<tr><th>Bytes</th><td>${number(summary.bytes)}</td></tr>
<tr><th>First</th><td>${summary.firstAt ?? '–'}</td></tr>
<tr><th>Last</th><td>${summary.lastAt ?? '–'}</td></tr>
</table>
<h2>The newest requests</h2>
${requests.length === 0 ? empty : requests.map(section).join('\n')}
<p class="quiet">Reloads every ${REFRESH} s. The same as JSON: ask with <code>Accept: application/json</code>.</p>`,
    REFRESH,
  );
}

function section(request: InboxRequest, index: number): string {
  const records = request.records === null ? '' : `, ${number(request.records)} records`;
  const headers = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}`);
  const target = `${request.method}${request.query ? ` ?${request.query}` : ''}`;
  return `<details${index === 0 ? ' open' : ''}>
<summary>${request.number}. ${request.at} ${escapeHtml(target)} → ${request.answer}${records}, ${number(request.bytes)} bytes</summary>
<pre>${escapeHtml(headers.join('\n'))}</pre>
<pre>${escapeHtml(shownBody(request))}</pre>
</details>`;
}

function shownBody({ body, bodyCut }: InboxRequest): string {
  if (body === null) return '(no longer kept)';
  const text = body.length > SHOWN_BODY ? `${body.slice(0, SHOWN_BODY)}\n…` : body;
  if (body.length > SHOWN_BODY || bodyCut) return text;
  try {
    // Printing parsed JSON would change 64-bit ids; only line breaks between records are added.
    JSON.parse(body);
    return body.replace(/\},\{"/g, '},\n{"');
  } catch {
    return text;
  }
}

function number(value: number): string {
  return value.toLocaleString('en');
}
