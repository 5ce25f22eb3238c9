import { createHash } from 'node:crypto';

interface BannerFacts {
  readonly url: string;
  readonly version: string;
  readonly devices: number;
  readonly username: string;
  readonly password: string;
  readonly inbox: string;
}

/** The text that a newcomer reads when the demo runs: addresses, login and next steps. */
export function demoBanner({ url, version, devices, username, password, inbox }: BannerFacts): string {
  return `
simstream ${version} runs at ${url} with a demo: ${devices} simulated SIMs.
  Portal      ${url}/ in a browser: user ${username}, password ${password} (organisation Demo)
  Watch       ${url}/inbox/${inbox} shows what the first data stream delivers
  API         ${url}/api/docs documents every call, and lets you try it
Or log in and list the data streams from a shell:
  ${listStreamsCommand(url, username, password)}
Next: "Your first data stream over the API" in README.md adds one of your own. Ctrl-C stops; everything is kept for the next start.
`;
}

/** A shell line that needs curl and sed only. The API takes the SHA-1 of a password, as emnify's does. */
export function listStreamsCommand(url: string, username: string, password: string): string {
  const body = JSON.stringify({ username, password: createHash('sha1').update(password).digest('hex') });
  const login = `curl -s ${url}/api/v1/authenticate -H 'Content-Type: application/json' -d '${body}'`;
  const token = `$(${login} | sed 's/.*"auth_token":"\\([^"]*\\)".*/\\1/')`;
  return `curl -s ${url}/api/v2/data_stream -H "Authorization: Bearer ${token}"`;
}
