#!/usr/bin/env node
// unread.mjs SOCKET: the conversations with what is unread, then every event as it comes.
import net from 'node:net';
import readline from 'node:readline';

const connection = net.connect(process.argv[2]);
const waiting = new Map();
let number = 0;

function call(method, params = {}) {
  connection.write(JSON.stringify({ jsonrpc: '2.0', id: ++number, method, params }) + '\n');
  return new Promise((resolve, reject) => waiting.set(number, { resolve, reject }));
}

readline.createInterface({ input: connection }).on('line', (line) => {
  const message = JSON.parse(line);
  if (message.method === 'event' && message.params.message?.text !== undefined)
    console.log(`${message.params.message.title}: ${message.params.message.text}`);
  if (!waiting.has(message.id)) return;
  const { resolve, reject } = waiting.get(message.id);
  waiting.delete(message.id);
  message.error ? reject(new Error(message.error.message)) : resolve(message.result);
});

await call('events.subscribe');
const { conversations } = await call('conversation.list');
for (const { conversation, title, unread } of conversations) {
  const { messages } = await call('message.list', { conversation, limit: 1 });
  console.log(`${title} (${unread} unread) ${messages.at(-1)?.text ?? ''}`);
}
