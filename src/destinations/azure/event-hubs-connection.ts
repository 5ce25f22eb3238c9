/**
 * An Event Hubs connection string:
 *
 *   string = part *(";" part) [";"]
 *   part   = name "=" value                     (names in any case, values may hold "=")
 *
 * of which these parts count: Endpoint, EntityPath, SharedAccessKeyName and SharedAccessKey, or in their place
 * SharedAccessSignature, and UseDevelopmentEmulator. Others are settings of Azure's clients and ignored.
 */
export interface HubConnection {
  /** Host, and port where one is given: `ns.servicebus.windows.net`. */
  readonly host: string;
  /** The name of the event hub. */
  readonly hub: string;
  readonly access: HubAccess;
  /** Plain HTTP, to an emulator. */
  readonly emulator: boolean;
}

export type HubAccess =
  | { readonly type: 'key'; readonly name: string; readonly key: string }
  | { readonly type: 'signature'; readonly signature: string };

/** Azure's rule for names of event hubs. */
const HUB = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,254}[A-Za-z0-9])?$/;
const PRINTABLE = /^[\x21-\x7e]+$/;
const POLICY = /^[\x20-\x7e]{1,256}$/;

/** The connection, or the fault of the string. A fault names parts, never shows a value: any of them may be a key. */
export function parseConnectionString(text: string): HubConnection | string {
  const parts = partsOf(text);
  if (typeof parts === 'string') return parts;
  const endpoint = readEndpoint(parts.get('endpoint'));
  if (typeof endpoint === 'string') return endpoint;
  const hub = parts.get('entitypath');
  if (!hub) {
    return 'has no EntityPath: add ;EntityPath=<name of the event hub>, or copy the connection string of the event hub instead of that of the namespace';
  }
  if (!HUB.test(hub)) {
    return 'has an EntityPath that is not the name of an event hub: up to 256 letters, digits, dots, hyphens and underscores, a letter or digit first and last';
  }
  const access = readAccess(parts);
  if (typeof access === 'string') return access;
  const emulator = parts.get('usedevelopmentemulator')?.toLowerCase() === 'true';
  return { host: endpoint.host, hub, access, emulator };
}

function partsOf(text: string): ReadonlyMap<string, string> | string {
  const parts = new Map<string, string>();
  for (const [index, part] of text.split(';').entries()) {
    if (part.trim() === '') continue;
    const equals = part.indexOf('=');
    const name = part.slice(0, Math.max(0, equals)).trim();
    // A piece of a key that was cut wrongly could stand here.
    if (!/^[A-Za-z]{1,40}$/.test(name)) {
      return `is not made of Name=value parts with semicolons between them: part ${index + 1} is none`;
    }
    const known = name.toLowerCase();
    if (parts.has(known)) return `has two parts with the name of part ${index + 1}`;
    parts.set(known, part.slice(equals + 1).trim());
  }
  return parts;
}

function readEndpoint(endpoint: string | undefined): URL | string {
  if (!endpoint)
    return 'has no Endpoint: it must begin with Endpoint=sb://<namespace>.servicebus.windows.net/';
  const match = /^(?:sb|https?|amqps?):\/\/([^/?#\s]+)\/?$/i.exec(endpoint);
  // As https, so that the host is read the way it will be used.
  const address = `https://${match?.[1] ?? ''}`;
  if (!match || !URL.canParse(address) || address.includes('@')) {
    return 'has an Endpoint that is not like sb://<namespace>.servicebus.windows.net/';
  }
  return new URL(address);
}

function readAccess(parts: ReadonlyMap<string, string>): HubAccess | string {
  const signature = parts.get('sharedaccesssignature');
  const name = parts.get('sharedaccesskeyname');
  const key = parts.get('sharedaccesskey');
  if (signature && key) return 'has both a SharedAccessKey and a SharedAccessSignature: leave one out';
  if (signature) {
    return /^SharedAccessSignature [\x21-\x7e]+$/.test(signature)
      ? { type: 'signature', signature }
      : 'has a SharedAccessSignature that does not look like “SharedAccessSignature sr=…&sig=…&se=…&skn=…”';
  }
  if (!name) return 'has no SharedAccessKeyName: the name of a shared access policy that may send';
  if (!key) return 'has no SharedAccessKey: the primary or secondary key of the shared access policy';
  if (!POLICY.test(name)) return 'has a SharedAccessKeyName with characters that no policy name has';
  if (!PRINTABLE.test(key)) return 'has a SharedAccessKey with characters that no key has; copy it again';
  return { type: 'key', name, key };
}
