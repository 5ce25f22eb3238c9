import { lookup } from 'node:dns/promises';
import { connect } from 'node:net';

/** A machine that runs refuses within a round trip; a longer silence says nothing. */
const ANSWER_WITHIN_MS = 400;

/**
 * Whether no server of NATS runs: every one of them refuses a connection, so each machine is there and nothing listens. A
 * server that does not answer, or whose name is not found, may run and be cut off: then nobody can say.
 * @param servers `host:port`; all that may belong to the cluster
 */
export async function allRefuse(servers: Iterable<string>): Promise<boolean> {
  const answers = await Promise.all([...new Set(servers)].map(refuses));
  return answers.length > 0 && answers.every(Boolean);
}

async function refuses(server: string): Promise<boolean> {
  const { hostname, port } = new URL(`nats://${server}`);
  try {
    const addresses = await lookup(hostname.replace(/^\[|\]$/g, ''), { all: true });
    const answers = await Promise.all(addresses.map(({ address }) => addressRefuses(address, Number(port))));
    return answers.length > 0 && answers.every(Boolean);
  } catch {
    return false;
  }
}

function addressRefuses(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const answer = (refused: boolean) => {
      socket.destroy();
      resolve(refused);
    };
    socket.setTimeout(ANSWER_WITHIN_MS, () => answer(false));
    socket.once('connect', () => answer(false));
    socket.on('error', (error: NodeJS.ErrnoException) => answer(error.code === 'ECONNREFUSED'));
  });
}
