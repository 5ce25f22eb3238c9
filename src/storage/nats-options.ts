import type { ConnectionOptions } from '@nats-io/transport-node';

/** @param servers `nats://[user:password@]host:port`, `nats://token@host:port`, or `tls://…` */
export function connectionOptions(servers: readonly string[]): ConnectionOptions {
  const urls = servers.map((server) => new URL(server));
  const login = urls.find(({ username }) => username !== '');
  const secured = urls.some(({ protocol }) => protocol === 'tls:');
  return {
    servers: urls.map(({ host, hostname, port }) => (port ? host : `${hostname}:4222`)),
    name: 'simstream',
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    // The server that was tried longest ago: the one that was just lost, or left, comes last.
    reconnectToServer: (servers) => [...servers].sort((a, b) => a.lastConnect - b.lastConnect)[0] ?? null,
    // Credentials that the server refuses for a while must not end the connection for good.
    ignoreAuthErrorAbort: true,
    // A stack trace for every message would cost more than the message.
    noAsyncTraces: true,
    // The client notices a server that vanished silently after four to six seconds.
    pingInterval: 2_000,
    maxPingOut: 2,
    timeout: 5_000,
    ...(login ? credentialsOf(login) : {}),
    ...(secured ? { tls: {} } : {}),
  };
}

/** `user:password@`, or `token@` alone. */
function credentialsOf({ username, password }: URL): Partial<ConnectionOptions> {
  const [user, pass] = [decodeURIComponent(username), decodeURIComponent(password)];
  return pass === '' ? { token: user } : { user, pass };
}

export function withoutCredentials(server: string): string {
  return server.replace(/\/\/.*@/, '//');
}
