// PartiQL with the AWS SDK for JavaScript, unchanged, against a running server: client and document client.
// npm install @aws-sdk/client-dynamodb @aws-sdk/lib-dynamodb && node partiql_with_js.mjs http://127.0.0.1:8000
import assert from "node:assert";
import {
  BatchExecuteStatementCommand, CreateTableCommand, DeleteTableCommand, DynamoDBClient, ExecuteStatementCommand,
  ExecuteTransactionCommand, GetItemCommand, waitUntilTableExists,
} from "@aws-sdk/client-dynamodb";

const client = new DynamoDBClient({
  endpoint: process.argv[2] ?? "http://127.0.0.1:8000",
  region: "eu-west-1",
  credentials: { accessKeyId: "any", secretAccessKey: "any" },
});
const TableName = `clients-partiql-js-${Date.now()}`;
const run = (Statement, Parameters, more = {}) => client.send(new ExecuteStatementCommand({ Statement, Parameters, ...more }));
const fails = async (name, promise) => {
  const error = await promise.then(() => assert.fail(`${name} expected`), (error) => error);
  assert.equal(error.name, name, error.message);
  return error;
};

await client.send(new CreateTableCommand({
  TableName,
  BillingMode: "PAY_PER_REQUEST",
  KeySchema: [{ AttributeName: "pk", KeyType: "HASH" }, { AttributeName: "sk", KeyType: "RANGE" }],
  AttributeDefinitions: [{ AttributeName: "pk", AttributeType: "S" }, { AttributeName: "sk", AttributeType: "N" }],
}));
await waitUntilTableExists({ client, maxWaitTime: 30, minDelay: 1 }, { TableName });

// Parameters of every type.
const values = [
  { S: "it's \"quoted\" ? -- é😀" }, { N: "-7.25" }, { B: new Uint8Array([0, 255]) }, { BOOL: false }, { NULL: true },
  { SS: ["a", "b'"] }, { NS: ["1", "2"] }, { BS: [new Uint8Array([1]), new Uint8Array([2])] },
  { L: [{ N: "1" }, { L: [] }, { SS: ["x"] }] }, { M: { "k ?": { NULL: true }, m: { M: {} } } },
];
for (const [number, value] of values.entries()) {
  const key = [{ S: "values" }, { N: `${number}` }];
  await run(`INSERT INTO "${TableName}" VALUE {'pk': ?, 'sk': ?, 'v': ?}`, [...key, value]);
  const got = await client.send(new GetItemCommand({ TableName, Key: { pk: key[0], sk: key[1] } }));
  assert.deepEqual(got.Item.v, value);
  const found = await run(`SELECT v FROM "${TableName}" WHERE pk = ? AND sk = ? AND v = ?`, [...key, value]);
  assert.deepEqual(found.Items, [{ v: value }]);
}

// Pages of many partitions.
for (let number = 0; number < 40; number++) {
  await run(`INSERT INTO "${TableName}" VALUE {'pk': 'p${number % 8}', 'sk': ${number}}`);
}
const seen = new Set();
let NextToken;
do {
  const page = await run(`SELECT pk, sk FROM "${TableName}" WHERE pk IN ['p1', 'p2', 'p7'] AND sk >= 8`, undefined, { Limit: 4, NextToken });
  assert.ok(page.Items.length <= 4);
  page.Items.forEach((item) => seen.add(`${item.pk.S}/${item.sk.N}`));
  NextToken = page.NextToken;
} while (NextToken);
assert.equal(seen.size, 12);

// Errors with what belongs to them; batches; transactions.
await fails("DuplicateItemException", run(`INSERT INTO "${TableName}" VALUE {'pk': 'p1', 'sk': 1}`));
const failed = await fails("ConditionalCheckFailedException", run(
  `UPDATE "${TableName}" SET a = 1 WHERE pk = 'p1' AND sk = 1 AND b = 2`, undefined, { ReturnValuesOnConditionCheckFailure: "ALL_OLD" }));
assert.deepEqual(failed.Item, { pk: { S: "p1" }, sk: { N: "1" } });
const batch = await client.send(new BatchExecuteStatementCommand({ Statements: [
  { Statement: `UPDATE "${TableName}" SET a = 1 WHERE pk = 'p1' AND sk = 1` },
  { Statement: `INSERT INTO "${TableName}" VALUE {'pk': 'p2', 'sk': 2}` },
] }));
assert.deepEqual(batch.Responses.map((response) => response.Error?.Code), [undefined, "DuplicateItem"]);
const statement = (Statement) => ({ Statement });
await client.send(new ExecuteTransactionCommand({ TransactStatements: [
  statement(`UPDATE "${TableName}" SET a = a + 1 WHERE pk = 'p1' AND sk = 1 AND (a = 1) = true`),
  statement(`DELETE FROM "${TableName}" WHERE pk = 'p2' AND sk = 2`),
] }));
const cancelled = await fails("TransactionCanceledException", client.send(new ExecuteTransactionCommand({ TransactStatements: [
  statement(`UPDATE "${TableName}" SET a = 9 WHERE pk = 'p1' AND sk = 1`), statement(`DELETE FROM "${TableName}" WHERE pk = 'p2'`),
] })));
assert.deepEqual(cancelled.CancellationReasons.map((reason) => reason.Code), ["None", "ValidationError"]);
const read = await run(`SELECT a FROM "${TableName}" WHERE pk = 'p1' AND sk = 1`);
assert.deepEqual(read.Items, [{ a: { N: "2" } }]);

await client.send(new DeleteTableCommand({ TableName }));
console.log("PartiQL with the SDK for JavaScript: all well");
