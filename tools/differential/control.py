"""The control plane from a seed: tables with every setting, changes of each, and descriptions in between.

Same seed, same requests. Values are drawn so that some changes are refused, alone or beside others. Each change is
followed by a description, so that both what a reply shows under way and how it ends are compared.
"""

import random

TABLES = ["control-a", "control-b"]
INDEXES = ["first", "second"]


class Control:
    def __init__(self, seed):
        self.random = random.Random(f"control {seed}")

    def chance(self, probability):
        return self.random.random() < probability

    def pick(self, values):
        return self.random.choice(values)

    def units(self):
        return {"ReadCapacityUnits": self.random.randint(1, 4), "WriteCapacityUnits": self.random.randint(1, 4)}

    def limits(self):
        members = {name: self.pick([-1, 5, 9]) for name in ("MaxReadRequestUnits", "MaxWriteRequestUnits") if self.chance(0.6)}
        return members or {"MaxReadRequestUnits": 7}

    def warm(self):
        members = {"ReadUnitsPerSecond": self.pick([3, 12000, 13000, 14000])}
        if self.chance(0.5):
            members["WriteUnitsPerSecond"] = self.pick([3, 4000, 5000, 6000])
        return members

    def encryption(self):
        return self.pick([{"Enabled": True}, {"Enabled": False}, {"SSEType": "KMS"}, {"Enabled": True, "SSEType": "KMS"}])

    def index(self, name, provisioned):
        made = {"IndexName": name, "Projection": {"ProjectionType": "ALL"}}
        made["KeySchema"] = [{"AttributeName": "k", "KeyType": "HASH"}]
        if provisioned:
            made["ProvisionedThroughput"] = self.units()
        return made

    def create(self, table):
        provisioned = self.chance(0.5)
        body = {"TableName": table, "BillingMode": "PROVISIONED" if provisioned else "PAY_PER_REQUEST"}
        body["AttributeDefinitions"] = [{"AttributeName": "k", "AttributeType": "S"}]
        body["KeySchema"] = [{"AttributeName": "k", "KeyType": "HASH"}]
        if provisioned:
            body["ProvisionedThroughput"] = self.units()
        if self.chance(0.4):
            body["GlobalSecondaryIndexes"] = [self.index(INDEXES[0], provisioned)]
        for member, value in (
            ("OnDemandThroughput", {"MaxReadRequestUnits": 5}),
            ("WarmThroughput", self.warm()),
            ("SSESpecification", self.encryption()),
            ("TableClass", self.pick(["STANDARD", "STANDARD_INFREQUENT_ACCESS"])),
        ):
            if self.chance(0.15):
                body[member] = value
        return "CreateTable", body

    def change(self):
        """One member of UpdateTable."""
        name = self.pick(INDEXES)
        update = self.pick([{"ProvisionedThroughput": self.units()}, {"OnDemandThroughput": self.limits()}, {"WarmThroughput": self.warm()}])
        action = self.pick([{"Update": {"IndexName": name, **update}}] * 4 + [{"Create": self.index(name, self.chance(0.5))}, {"Delete": {"IndexName": name}}])
        return self.pick([
            {"BillingMode": "PAY_PER_REQUEST"},
            {"BillingMode": "PROVISIONED", "ProvisionedThroughput": self.units()},
            {"ProvisionedThroughput": self.units()},
            {"OnDemandThroughput": self.limits()},
            {"WarmThroughput": self.warm()},
            {"SSESpecification": self.encryption()},
            {"TableClass": self.pick(["STANDARD", "STANDARD_INFREQUENT_ACCESS"])},
            {"DeletionProtectionEnabled": self.chance(0.5)},
            {"GlobalSecondaryIndexUpdates": [action]},
        ])

    def update(self, table):
        body = {"TableName": table, **self.change()}
        if self.chance(0.2):
            body.update(self.change())
        if "GlobalSecondaryIndexUpdates" in body:
            body["AttributeDefinitions"] = [{"AttributeName": "k", "AttributeType": "S"}]
        return "UpdateTable", body


def requests(seed, count):
    """Requests on tables that come and go."""
    control = Control(seed)
    for _ in range(count):
        table = control.pick(TABLES)
        kind = control.random.random()
        if kind < 0.15:
            yield control.create(table)
        elif kind < 0.2:
            yield "DeleteTable", {"TableName": table}
        else:
            yield control.update(table)
        yield "DescribeTable", {"TableName": table}
