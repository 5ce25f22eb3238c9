import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { request } from 'undici';
import { createEgress } from './egress.ts';
import { startHttpPeer } from './http/peer.fixture.ts';
import { networkFault } from './network-fault.ts';
import { proxyFromEnvironment } from './proxy.ts';

/** A forward proxy that leads every tunnel to `port` of loopback, and keeps what it was asked for. */
async function startProxy(t: TestContext, port: number) {
  const asked: { target: string | undefined; authorization: string | undefined }[] = [];
  let status = 200;
  const sockets = new Set<Socket>();
  const server = createServer();
  server.on('connect', ({ url, headers }: IncomingMessage, socket: Socket) => {
    asked.push({ target: url, authorization: headers['proxy-authorization'] });
    sockets.add(socket);
    socket.on('error', () => {});
    if (status !== 200) return socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
    const through = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(through).pipe(socket);
    });
    through.on('error', () => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    asked,
    address,
    refuseWith: (next: number) => {
      status = next;
    },
  };
}

async function start(t: TestContext, variables: (address: string) => Record<string, string>) {
  const peer = await startHttpPeer();
  const proxy = await startProxy(t, peer.port);
  const addresses: Record<string, string> = {
    'outside.example': '203.0.113.9',
    'inside.example': '10.0.0.1',
  };
  const egress = createEgress({
    allow: '203.0.113.0/24,127.0.0.0/8',
    proxy: proxyFromEnvironment(variables(proxy.address)),
    resolve: (name) => Promise.resolve([{ address: addresses[name] ?? '127.0.0.1', family: 4 as const }]),
  });
  t.after(async () => {
    await egress.close();
    await peer.stop();
  });
  const get = async (url: string) => {
    const { statusCode, body } = await request(url, { dispatcher: egress.of(1).agent });
    await body.dump();
    return statusCode;
  };
  return { peer, proxy, egress, get };
}

describe('a forward proxy', () => {
  test('gets the name and its password, after name and address were checked', async (t) => {
    const { proxy, get, egress, peer } = await start(t, (address) => ({
      HTTP_PROXY: `http://user:p%40ss@${address}`,
    }));
    assert.equal(await get('http://outside.example/x'), 200);
    assert.deepEqual(proxy.asked, [
      { target: 'outside.example:80', authorization: `Basic ${btoa('user:p@ss')}` },
    ]);
    await assert.rejects(get('http://inside.example/'), { code: 'ForbiddenName' });
    await assert.rejects(get('http://10.0.0.1/'), { code: 'ForbiddenAddress' });
    assert.equal(proxy.asked.length, 1);
    (await egress.of(1).connect(new URL('http://outside.example/'))).destroy();
    assert.equal(proxy.asked.length, 2);
    assert.equal(peer.requests.length, 1, 'a probe sends nothing');
  });

  test('what the proxy refuses is not charged to the receiver', async (t) => {
    const { proxy, get } = await start(t, (address) => ({ http_proxy: address }));
    for (const [status, type] of [
      [407, 'platform'],
      [403, 'platform'],
      [502, 'retry'],
      [504, 'retry'],
    ] as const) {
      proxy.refuseWith(status);
      const error = await get('http://outside.example/').catch((thrown: unknown) => thrown);
      assert.equal(networkFault(error, 'outside.example').type, type, String(status));
    }
  });

  test('a proxy that is not there is the operator’s fault', async (t) => {
    const { get } = await start(t, () => ({ HTTP_PROXY: 'http://127.0.0.1:1' }));
    const error = await get('http://outside.example/').catch((thrown: unknown) => thrown);
    const fault = networkFault(error, 'outside.example');
    assert.deepEqual([fault.type, fault.cause.code], ['platform', 'proxy_failed']);
  });

  test('NO_PROXY names what is reached directly', () => {
    const proxy = proxyFromEnvironment({
      HTTPS_PROXY: 'http://proxy:3128',
      NO_PROXY:
        'internal.example, .dotted.example *.starred.example,10.0.0.0/8,192.0.2.7,port.example:8443,2001:db8::/32',
    });
    const goesThrough = (host: string, port = 443) => proxy?.for('https:', host, port) !== undefined;
    for (const host of [
      'internal.example',
      'a.Internal.example',
      'a.dotted.example',
      'b.starred.example',
      '10.1.2.3',
      '192.0.2.7',
      '2001:db8::1',
    ]) {
      assert.equal(goesThrough(host), false, host);
    }
    for (const host of ['example', 'notinternal.example', '11.0.0.1', 'port.example', '192.0.2.8']) {
      assert.equal(goesThrough(host), true, host);
    }
    assert.equal(goesThrough('port.example', 8443), false);
    assert.equal(proxy?.for('http:', 'a.example', 80), undefined, 'HTTPS_PROXY is for https alone');
    const none = proxyFromEnvironment({ HTTPS_PROXY: 'proxy:3128', NO_PROXY: '*' });
    assert.equal(none?.for('https:', 'a.example', 443), undefined);
    assert.equal(proxyFromEnvironment({ NO_PROXY: 'x' }), undefined);
  });

  test('a proxy of another kind is refused at the start, without its password', () => {
    assert.throws(
      () => proxyFromEnvironment({ HTTPS_PROXY: 'socks5://user:secret@proxy' }),
      (error: Error) => error.message.includes('HTTPS_PROXY') && !error.message.includes('secret'),
    );
  });
});
