// Streams with the AWS SDK for JavaScript, unchanged, against a running server: every change once and in order.
// npm install @aws-sdk/client-dynamodb @aws-sdk/client-dynamodb-streams && node streams_with_js.mjs http://127.0.0.1:8000
import assert from "node:assert";
import {
  CreateTableCommand, DynamoDBClient, PutItemCommand, TransactWriteItemsCommand, UpdateTableCommand,
  waitUntilTableExists,
} from "@aws-sdk/client-dynamodb";
import {
  DescribeStreamCommand, DynamoDBStreamsClient, GetRecordsCommand, GetShardIteratorCommand, ListStreamsCommand,
} from "@aws-sdk/client-dynamodb-streams";

const settings = {
  endpoint: process.argv[2] ?? "http://127.0.0.1:8000",
  region: "eu-west-1",
  credentials: { accessKeyId: "any", secretAccessKey: "any" },
};
const items = new DynamoDBClient(settings), streams = new DynamoDBStreamsClient(settings);
const TableName = `clients-js-${Date.now()}`;

await items.send(new CreateTableCommand({
  TableName,
  BillingMode: "PAY_PER_REQUEST",
  KeySchema: [{ AttributeName: "k", KeyType: "HASH" }],
  AttributeDefinitions: [{ AttributeName: "k", AttributeType: "S" }],
  StreamSpecification: { StreamEnabled: true, StreamViewType: "NEW_AND_OLD_IMAGES" },
}));
await waitUntilTableExists({ client: items, maxWaitTime: 30, minDelay: 1 }, { TableName });
const StreamArn = (await streams.send(new ListStreamsCommand({ TableName }))).Streams[0].StreamArn;
let changes = 0;
for (; changes < 200; changes++) {
  const Item = { k: { S: `i${changes % 40}` }, n: { N: `${changes}` }, b: { B: new Uint8Array([0, 255]) } };
  await items.send(new PutItemCommand({ TableName, Item }));
}
const TransactItems = [0, 1, 2].map((number) => ({ Delete: { TableName, Key: { k: { S: `i${number}` } } } }));
await items.send(new TransactWriteItemsCommand({ TransactItems }));
changes += 3;

async function describe() {
  const shards = [];
  for (let ExclusiveStartShardId; ;) {
    const command = new DescribeStreamCommand({ StreamArn, Limit: 2, ExclusiveStartShardId });
    const stream = (await streams.send(command)).StreamDescription;
    shards.push(...stream.Shards);
    ExclusiveStartShardId = stream.LastEvaluatedShardId;
    if (!ExclusiveStartShardId) return { status: stream.StreamStatus, shards };
  }
}

// Shards are listed with parents before their children.
async function readAll() {
  const records = [];
  for (const { ShardId } of (await describe()).shards) {
    const begin = new GetShardIteratorCommand({ StreamArn, ShardId, ShardIteratorType: "TRIM_HORIZON" });
    let { ShardIterator } = await streams.send(begin);
    while (ShardIterator) {
      const page = await streams.send(new GetRecordsCommand({ ShardIterator, Limit: 50 }));
      records.push(...page.Records);
      if (page.NextShardIterator && page.Records.length === 0) break;
      ShardIterator = page.NextShardIterator;
    }
  }
  return records;
}

const records = await readAll();
assert.equal(records.length, changes);
assert.equal(new Set(records.map((record) => record.eventID)).size, changes);
const state = new Map();
for (const { dynamodb: change } of records) {
  assert.deepEqual(state.get(change.Keys.k.S), change.OldImage);
  state.set(change.Keys.k.S, change.NewImage);
  assert(change.ApproximateCreationDateTime instanceof Date);
}
await items.send(new UpdateTableCommand({ TableName, StreamSpecification: { StreamEnabled: false } }));
const { status, shards } = await describe();
assert.equal(status, "DISABLED");
assert(shards.every((shard) => shard.SequenceNumberRange.EndingSequenceNumber));
assert.equal((await readAll()).length, changes);
const { ShardId } = shards[0];
for (const [name, command] of [
  ["ValidationException", new GetRecordsCommand({ ShardIterator: "garbage" })],
  ["ValidationException", new GetShardIteratorCommand({ StreamArn, ShardId, ShardIteratorType: "AT_SEQUENCE_NUMBER" })],
  ["ResourceNotFoundException", new DescribeStreamCommand({ StreamArn: StreamArn.replace("/stream/2", "/stream/1") })],
]) {
  await assert.rejects(streams.send(command), { name });
}
console.log(`ok: ${changes} changes in ${shards.length} shards`);
