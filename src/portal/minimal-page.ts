/**
 * Title and body of the page at `/`: where to go from here. lib/html.ts makes it a whole page.
 * @param version simstream's own, from package.json: not escaped
 * @param demo the node runs the demo, which has an inbox to look at
 */
export function minimalPage({ version, demo }: { version: string; demo: boolean }): {
  readonly title: string;
  readonly body: string;
} {
  const inbox = demo
    ? '<li><a href="/inbox/first">Inbox</a>: the records that the first data stream of the demo delivers, as they arrive</li>'
    : '';
  return {
    title: 'simstream',
    body: `<h1>simstream <span class="quiet">${version}</span></h1>
<p>The self-hosted, multi-tenant data streamer for cellular IoT. This node is running.</p>
<ul>
${inbox}
<li><a href="/api/docs">API documentation</a>, interactive; <a href="/api/openapi.json">OpenAPI document</a></li>
<li><a href="/metrics">Metrics</a>, <a href="/healthz">health</a>, <a href="/readyz">readiness</a></li>
</ul>`,
  };
}
