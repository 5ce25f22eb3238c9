import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A program that does a part of what simstream does, set up so that it loses nothing when it is killed, as far as it can. */
export interface Peer {
  /** For the table. */
  readonly name: string;
  readonly command: string;
  /** How records get in: as arrays in HTTP requests, or as lines over TCP. */
  readonly takes: 'http' | 'tcp';
  /** When the records are safe, for the table. */
  readonly durable: string;
  /** Writes the configuration into `directory`. @returns the arguments of the command */
  configure(parts: PeerParts): readonly string[];
}

interface PeerParts {
  readonly directory: string;
  /** Where the peer listens. */
  readonly port: number;
  /** The ports of the counter. */
  readonly http: number;
  readonly tcp: number;
}

/** Whether the program is installed, and which version. */
export function versionOf({ command }: Peer): string | undefined {
  const { error, stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' });
  return error ? undefined : stdout.split('\n')[0]?.trim();
}

function fluentBit(name: string, sync: 'normal' | 'full'): Peer {
  return {
    name,
    command: 'fluent-bit',
    takes: 'http',
    durable:
      sync === 'full' ? 'when the answer comes, by msync' : 'from a crash of the process, not of the machine',
    configure: ({ directory, port, http }) => {
      const file = join(directory, 'fluent-bit.conf');
      writeFileSync(
        file,
        `[SERVICE]
    flush 0.2
    log_level error
    storage.path ${join(directory, 'chunks')}
    storage.sync ${sync}
    storage.max_chunks_up 128
[INPUT]
    name http
    listen 127.0.0.1
    port ${port}
    buffer_max_size 8M
    storage.type filesystem
[OUTPUT]
    name http
    match *
    host 127.0.0.1
    port ${http}
    uri /
    format json_lines
    json_date_key false
    retry_limit false
`,
      );
      return ['-c', file];
    },
  };
}

export const PEERS: readonly Peer[] = [
  fluentBit('Fluent Bit, on disk', 'normal'),
  fluentBit('Fluent Bit, on disk, sync full', 'full'),
  {
    name: 'syslog-ng, reliable buffer, TCP',
    command: 'syslog-ng',
    takes: 'tcp',
    durable: 'nothing tells the sender',
    configure: ({ directory, port, tcp }) => {
      const file = join(directory, 'syslog-ng.conf');
      writeFileSync(
        file,
        `@version: 3.35
options { stats-freq(0); log-msg-size(65536); flush-lines(1000); };
source records { network(ip("127.0.0.1") port(${port}) transport("tcp") flags(no-parse) max-connections(64) log-fetch-limit(1000) log-iw-size(64000)); };
destination counter {
  network("127.0.0.1" port(${tcp}) transport("tcp") template("$MSG\\n")
    disk-buffer(reliable(yes) disk-buf-size(2147483648) mem-buf-size(67108864) dir("${directory}")));
};
log { source(records); destination(counter); flags(flow-control); };
`,
      );
      const own = (path: string) => join(directory, path);
      return [
        ...['--foreground', '--no-caps', '--stderr', '--cfgfile', file],
        ...['--persist-file', own('persist'), '--pidfile', own('pid'), '--control', own('control')],
      ];
    },
  },
];
