import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { Connections } from './connections.ts';

const URL_OF = new URL('https://receiver.example/in');
const ORIGIN = { protocol: 'https:', hostname: 'receiver.example', port: '443' };

/** A socket that connects until `connected` is called. */
function connectingSocket() {
  const socket = new Socket();
  let connecting = true;
  Object.defineProperty(socket, 'connecting', { get: () => connecting });
  const connected = () => {
    connecting = false;
  };
  return { socket, connected };
}

test('a connection is asked for step by step', () => {
  const connections = new Connections();
  const said = () => connections.connecting(URL_OF);
  const connection = connections.begin(ORIGIN, false);
  const { socket, connected } = connectingSocket();
  connection.begun(socket);
  assert.equal(said(), 'name');
  socket.emit('lookup', null, '192.0.2.1', 4, 'receiver.example');
  assert.equal(said(), 'connection');
  connected();
  assert.equal(said(), 'handshake');
  connection.opened();
  assert.equal(connections.waiting(URL_OF), 'answer');
  connection.closed();
});

test('an address needs no name server, and another origin says nothing of this one', () => {
  const connections = new Connections();
  const begin = (hostname: string) =>
    connections.begin({ protocol: 'http:', hostname, port: '8080' }, false).begun(connectingSocket().socket);
  begin('192.0.2.1');
  begin('2001:db8::1');
  begin('slow.example');
  assert.equal(connections.connecting(new URL('http://192.0.2.1:8080/')), 'connection');
  assert.equal(connections.connecting(new URL('http://[2001:db8::1]:8080/')), 'connection');
  assert.equal(connections.connecting(new URL('http://slow.example:8080/')), 'name');
});
