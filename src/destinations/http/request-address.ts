interface Address {
  readonly href: string;
  readonly origin: string;
  readonly path: string;
}

/** A data stream uses one URL for all of its requests, and each of its parts is put together whenever it is read. */
const addresses = new WeakMap<URL, Address>();

/** Where a request goes, as undici takes it. */
export function addressOf(url: URL): Address {
  const known = addresses.get(url);
  if (known?.href === url.href) return known;
  const address = { href: url.href, origin: url.origin, path: `${url.pathname}${url.search}` };
  addresses.set(url, address);
  return address;
}
