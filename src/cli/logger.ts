import { type DestinationStream, type Logger, pino, stdSerializers } from 'pino';
import { PinoPretty } from 'pino-pretty';
import type { LogLevel } from '../config/config.ts';
import { redactText } from '../lib/redact.ts';

/** Members that hold secrets, in the first three levels of a log entry. */
const SECRET_MEMBERS = [
  'authorization',
  'cookie',
  'password',
  'secret',
  'token',
  'api_key',
  'write_key',
  'connection_string',
  'credentials',
  'application_token',
  'auth_token',
  'refresh_token',
  'operatorToken',
];

interface LoggerOptions {
  readonly level: LogLevel;
  /** true: coloured lines for people; false: JSON. */
  readonly readable: boolean;
  /** Standard output if absent. */
  readonly destination?: DestinationStream;
}

/** The node's log: one structured line per event. */
export function createLogger({ level, readable, destination }: LoggerOptions): Logger {
  const paths = SECRET_MEMBERS.flatMap((member) => [member, `*.${member}`, `*.*.${member}`]);
  return pino(
    {
      level,
      base: null,
      redact: { paths, censor: '***' },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
    },
    readable ? readableStream(destination) : (destination ?? pino.destination({ dest: 1, sync: true })),
  );
}

function readableStream(destination: DestinationStream | undefined): DestinationStream {
  return PinoPretty({
    colorize: destination === undefined,
    translateTime: 'SYS:HH:MM:ss',
    singleLine: true,
    sync: true,
    ...(destination ? { destination } : {}),
  });
}

function describeError(error: unknown): unknown {
  const described = stdSerializers.err(error as Error) as unknown;
  if (typeof described !== 'object' || described === null) return described;
  const { type, message, stack, ...rest } = described as Record<string, unknown>;
  return {
    type,
    message: typeof message === 'string' ? redactText(message) : message,
    stack: typeof stack === 'string' ? redactText(stack) : stack,
    ...('code' in rest ? { code: rest.code } : {}),
  };
}
