import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';

/**
 * The answer of a test's name server to a question: an address of each family, "no such name", "it failed", or
 * silence.
 */
export type NameServerAnswer =
  | { readonly a?: string; readonly aaaa?: string; readonly ttl?: number }
  | 'not-found'
  | 'failed'
  | 'silent';

interface NameServer {
  /** `127.0.0.1:port`. */
  readonly address: string;
  /** The names that were asked for, one entry for each question. */
  readonly questions: readonly string[];
  answer(answering: (name: string) => NameServerAnswer): void;
  stop(): Promise<void>;
}

const TYPE_A = 1;
const TYPE_AAAA = 28;

/** A real name server on loopback (RFC 1035, UDP) that answers as it is told; for tests. */
export async function startNameServer(): Promise<NameServer> {
  const socket = createSocket('udp4');
  const questions: string[] = [];
  let answering: (name: string) => NameServerAnswer = () => 'silent';
  socket.on('message', (message: Buffer, from: RemoteInfo) => {
    const { name, type, end } = readQuestion(message);
    questions.push(name);
    const answer = answering(name);
    if (answer !== 'silent')
      socket.send(writeAnswer(message.subarray(0, end), type, answer), from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    address: `127.0.0.1:${socket.address().port}`,
    questions,
    answer: (next) => {
      answering = next;
    },
    stop: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

/** header:12 · labels (length:u8 · text)* · 0:u8 · type:u16 · class:u16 */
function readQuestion(message: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString('ascii', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), type: message.readUInt16BE(at + 1), end: at + 5 };
}

function writeAnswer(question: Buffer, type: number, answer: Exclude<NameServerAnswer, 'silent'>): Buffer {
  const head = Buffer.from(question);
  const code = answer === 'not-found' ? 3 : answer === 'failed' ? 2 : 0;
  const address =
    typeof answer === 'string'
      ? undefined
      : type === TYPE_A
        ? answer.a
        : type === TYPE_AAAA
          ? answer.aaaa
          : undefined;
  const ttl = typeof answer === 'string' ? 0 : (answer.ttl ?? 60);
  head.writeUInt16BE(0x8180 | code, 2);
  head.writeUInt16BE(address === undefined ? 0 : 1, 6);
  head.writeUInt32BE(0, 8);
  if (address === undefined) return head;
  const bytes = type === TYPE_A ? Buffer.from(address.split('.').map(Number)) : ipv6Bytes(address);
  const record = Buffer.alloc(12);
  record.writeUInt16BE(0xc00c, 0);
  record.writeUInt16BE(type, 2);
  record.writeUInt16BE(1, 4);
  record.writeUInt32BE(ttl, 6);
  record.writeUInt16BE(bytes.length, 10);
  return Buffer.concat([head, record, bytes]);
}

/** Of an address that is written with all its eight groups. */
function ipv6Bytes(address: string): Buffer {
  const bytes = Buffer.alloc(16);
  for (const [at, group] of address.split(':').entries())
    bytes.writeUInt16BE(Number.parseInt(group, 16), at * 2);
  return bytes;
}
