import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import rhea, { type Connection, type EventContext, type Message, type Receiver, type Sender } from 'rhea';
import type { Owner } from './aws-front.ts';
import type { TestHub } from './event-hubs-hub.ts';

/** Events of a batch are sections of one message of this format. */
const BATCH_FORMAT = 0x80013700;
const PARTITION_KEY = 'x-opt-partition-key';

/**
 * The AMQP side of Event Hubs, as far as its official client needs it to send to a hub and to read from it: tokens
 * ($cbs), properties ($management), links of producers and of consumers.
 * @returns the port; connect with UseDevelopmentEmulator=true
 */
export async function startHubAmqp(owner: Owner, hub: TestHub): Promise<number> {
  const container = rhea.create_container({ id: 'test-hub', non_fatal_errors: [] });
  container.sasl_server_mechanisms.enable_anonymous();
  const connections = new Set<Connection>();
  let port = 0;
  /** Per connection and resource, what its tokens allow. */
  const tokens = new WeakMap<Connection, Map<string, string>>();
  const allowed = (connection: Connection, address: string, right: 'Send' | 'Listen') => {
    const resource = `sb://localhost:${port}/${address}`;
    for (const [audience, token] of tokens.get(connection) ?? []) {
      if (`${resource}/`.startsWith(`${audience}/`) && !hub.tokenFault(token, resource, right)) return true;
    }
    return false;
  };
  container.on('connection_open', ({ connection }: EventContext) => connections.add(connection));
  for (const event of ['disconnected', 'connection_error', 'protocol_error', 'session_error']) {
    container.on(event, ({ connection }: EventContext) => connections.delete(connection));
  }
  container.on('sender_open', ({ connection, sender }: EventContext) => {
    const address = (sender as Sender).source.address as string;
    (sender as Sender).set_source({ address });
    const match = /\/ConsumerGroups\/[^/]+\/Partitions\/(\d+)$/.exec(address);
    if (!match) return;
    if (!allowed(connection, address, 'Listen')) return refuse(sender as Sender);
    sendEvents(hub, sender as Sender, Number(match[1]));
  });
  container.on('receiver_open', ({ connection, receiver }: EventContext) => {
    const address = (receiver as Receiver).target.address as string;
    (receiver as Receiver).set_target({ address });
    if (address.startsWith('$')) return;
    if (address.split('/')[0] !== hub.name) {
      const description = `The messaging entity '${address}' could not be found.`;
      (receiver as Receiver).close({ condition: 'amqp:not-found', description });
    } else if (!allowed(connection, address, 'Send')) refuse(receiver as Receiver);
  });
  container.on('message', (context: EventContext) => {
    const { connection, message, delivery } = context;
    const receiver = context.receiver as Receiver;
    const address = receiver.target.address as string;
    // rhea hands over the bytes of a message whose format it does not know.
    const read = (Buffer.isBuffer(message) ? rhea.message.decode(message) : message) as Message;
    delivery?.accept();
    if (address === '$cbs') {
      const known = tokens.get(connection) ?? new Map<string, string>();
      tokens.set(connection, known);
      const audience = String(read.application_properties?.name);
      const path = audience.replace(/^[a-z]+:\/\/[^/]+\//, '');
      const resource = `sb://localhost:${port}/${path}`;
      const fault = hub.tokenFault(read.body as string, resource, 'Send');
      const bad = fault !== undefined && fault !== 'rights';
      if (!bad) known.set(`sb://localhost:${port}/${path}`, read.body as string);
      return reply(connection, receiver, read, '', bad ? 401 : 202, bad ? String(fault) : 'Accepted');
    }
    if (address === '$management') {
      return reply(connection, receiver, read, propertiesOf(hub, read), 200, 'OK');
    }
    storeMessage(hub, read, context);
  });
  const server = container.listen({
    port: 0,
    host: '127.0.0.1',
    receiver_options: { autoaccept: false, credit_window: 100, max_message_size: 2 ** 20 },
  } as never) as Server;
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
  owner.after(() => {
    for (const connection of connections)
      (connection as unknown as { socket?: { destroy(): void } }).socket?.destroy();
    server.close();
  });
  return port;
}

function refuse(link: Sender | Receiver): void {
  link.close({ condition: 'amqp:unauthorized-access', description: 'Unauthorized access.' });
}

function reply(
  connection: Connection,
  receiver: Receiver,
  request: Message,
  body: unknown,
  status: number,
  description: string,
): void {
  let out: Sender | undefined;
  connection.each_sender((sender: Sender) => {
    if (sender.session === receiver.session && sender.source?.address === receiver.target.address)
      out = sender;
  });
  const application_properties = { 'status-code': status, 'status-description': description };
  out?.send({ correlation_id: request.message_id as string, body, application_properties });
}

function propertiesOf(hub: TestHub, { application_properties }: Message): unknown {
  const { type, partition } = application_properties as { type: string; partition?: string };
  if (partition === undefined) {
    const ids = Array.from({ length: hub.partitions }, (_, id) => String(id));
    return {
      name: hub.name,
      type,
      created_at: new Date(0),
      partition_count: hub.partitions,
      partition_ids: rhea.types.wrap_array(ids, 0xa1, undefined),
      georeplication_factor: 1,
    };
  }
  const own = hub.events.filter((event) => event.partition === Number(partition));
  return {
    name: hub.name,
    type,
    partition,
    begin_sequence_number: 0,
    last_enqueued_sequence_number: own.length - 1,
    last_enqueued_offset: String(own.length - 1),
    last_enqueued_time_utc: new Date(0),
    is_partition_empty: own.length === 0,
  };
}

function storeMessage(hub: TestHub, envelope: Message, { delivery, receiver }: EventContext): void {
  const batch = (delivery as unknown as { format: number }).format === BATCH_FORMAT;
  const body = envelope.body as { multiple?: boolean; content: unknown };
  const sections = (body.multiple ? body.content : [body.content]) as Buffer[];
  const messages = batch
    ? sections.map((bytes) => rhea.message.decode(bytes) as unknown as Message)
    : [envelope];
  const partition = /\/Partitions\/(\d+)$/.exec((receiver as Receiver).target.address as string)?.[1];
  const key = envelope.message_annotations?.[PARTITION_KEY] as string | undefined;
  hub.store(
    messages.map((message) => ({ body: textOf(message), contentType: message.content_type })),
    key,
    partition === undefined ? undefined : Number(partition),
  );
}

function textOf({ body }: Message): string {
  const { content } = body as { content?: unknown };
  return Buffer.isBuffer(content) ? content.toString() : String(content ?? body);
}

/** Sends what a partition holds from its beginning, and nothing that comes later. */
function sendEvents(hub: TestHub, sender: Sender, partition: number): void {
  const own = hub.events.filter((event) => event.partition === partition);
  let at = 0;
  const pour = () => {
    for (; at < own.length && sender.sendable(); at++) {
      const event = own[at];
      if (!event) return;
      sender.send({
        body: rhea.message.data_section(Buffer.from(event.body)),
        ...(event.contentType === undefined ? {} : { content_type: event.contentType }),
        message_annotations: {
          'x-opt-sequence-number': at,
          'x-opt-offset': String(at),
          'x-opt-enqueued-time': new Date(0),
          ...(event.partitionKey === undefined ? {} : { [PARTITION_KEY]: event.partitionKey }),
        },
      });
    }
  };
  sender.on('sendable', pour);
}
