//! Turns values and parsed expressions into short texts.

use dynamo_expression::partiql::{Partitions, Returning, Select, Statement, Target};
use dynamo_expression::{Action, Condition, KeyCondition, KeyMatch, KeyTest, Operand, Projection, Update, Value};
use dynamo_protocol::value::{AttributeValue, Item};

pub fn value(value: &AttributeValue) -> String {
    match value {
        AttributeValue::S(text) => format!("'{text}'"),
        AttributeValue::N(number) => number.to_string(),
        AttributeValue::B(bytes) => binary(bytes),
        AttributeValue::Bool(flag) => flag.to_string(),
        AttributeValue::Null => "null".to_owned(),
        AttributeValue::Ss(members) => set(members.iter().map(|text| format!("'{text}'"))),
        AttributeValue::Ns(members) => set(members.iter().map(ToString::to_string)),
        AttributeValue::Bs(members) => set(members.iter().map(|bytes| binary(bytes))),
        AttributeValue::L(elements) => format!("[{}]", elements.iter().map(self::value).collect::<Vec<_>>().join(", ")),
        AttributeValue::M(members) => item(members),
    }
}

pub fn item(item: &Item) -> String {
    let members: Vec<String> = item.iter().map(|(name, member)| format!("{name}: {}", value(member))).collect();
    format!("{{{}}}", members.join(", "))
}

fn binary(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("0x{digits}")
}

fn set(members: impl Iterator<Item = String>) -> String {
    format!("<{}>", members.collect::<Vec<_>>().join(" "))
}

pub fn condition(condition: &Condition) -> String {
    let all = |operator: &str, operands: &[Condition]| {
        let operands: Vec<String> = operands.iter().map(self::condition).collect();
        format!("({operator} {})", operands.join(" "))
    };
    match condition {
        Condition::And(operands) => all("and", operands),
        Condition::Or(operands) => all("or", operands),
        Condition::Not(inner) => format!("(not {})", self::condition(inner)),
        Condition::Compare { operator, left, right } => {
            format!("({} {} {})", operator.symbol(), operand(left), operand(right))
        }
        Condition::Between { value, lower, upper } => {
            format!("(between {} {} {})", operand(value), operand(lower), operand(upper))
        }
        Condition::In { value, candidates } => {
            let candidates: Vec<String> = candidates.iter().map(operand).collect();
            format!("(in {} {})", operand(value), candidates.join(" "))
        }
        Condition::Exists(path) => format!("(exists {path})"),
        Condition::NotExists(path) => format!("(not_exists {path})"),
        Condition::HasType(value, name) => format!("(type {} {})", operand(value), name.as_str()),
        Condition::BeginsWith(one, two) => format!("(begins_with {} {})", operand(one), operand(two)),
        Condition::Contains(one, two) => format!("(contains {} {})", operand(one), operand(two)),
    }
}

fn operand(operand: &Operand) -> String {
    match operand {
        Operand::Path(path) => path.to_string(),
        Operand::Value(constant) => value(constant),
        Operand::Size(inner) => format!("(size {})", self::operand(inner)),
        Operand::Truth(condition) => format!("(truth {})", self::condition(condition)),
    }
}

pub fn projection(projection: &Projection) -> String {
    projection.paths().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

pub fn update(update: &Update) -> String {
    let actions: Vec<String> = update
        .actions()
        .iter()
        .map(|action| match action {
            Action::Set(path, right) => format!("set {path} {}", right_side(right)),
            Action::Remove(path) => format!("remove {path}"),
            Action::Add(path, addend) => format!("add {path} {}", value(addend)),
            Action::Delete(path, members) => format!("delete {path} {}", value(members)),
        })
        .collect();
    actions.join("; ")
}

fn right_side(right: &Value) -> String {
    match right {
        Value::Path(path) => path.to_string(),
        Value::Value(constant) => value(constant),
        Value::IfNotExists(path, fallback) => format!("(if_not_exists {path} {})", right_side(fallback)),
        Value::ListAppend(one, two) => format!("(list_append {} {})", right_side(one), right_side(two)),
        Value::Plus(one, two) => format!("(+ {} {})", right_side(one), right_side(two)),
        Value::Minus(one, two) => format!("(- {} {})", right_side(one), right_side(two)),
    }
}

pub fn key_condition(condition: &KeyCondition) -> String {
    let clauses: Vec<String> =
        condition.clauses().iter().map(|clause| format!("{} {}", clause.attribute, key_test(&clause.test))).collect();
    clauses.join("; ")
}

pub fn key_match(matched: &KeyMatch) -> String {
    let values = |values: &[AttributeValue]| values.iter().map(value).collect::<Vec<_>>().join(" ");
    let range = matched.range.as_ref().map_or(String::new(), |test| format!(" range {}", key_test(test)));
    format!("partition {} sort {}{range}", values(&matched.partition), values(&matched.sort))
}

fn key_test(test: &KeyTest) -> String {
    match test {
        KeyTest::Equal(bound) => format!("= {}", value(bound)),
        KeyTest::Less(bound) => format!("< {}", value(bound)),
        KeyTest::LessOrEqual(bound) => format!("<= {}", value(bound)),
        KeyTest::Greater(bound) => format!("> {}", value(bound)),
        KeyTest::GreaterOrEqual(bound) => format!(">= {}", value(bound)),
        KeyTest::Between(lower, upper) => format!("between {} {}", value(lower), value(upper)),
        KeyTest::BeginsWith(prefix) => format!("begins_with {}", value(prefix)),
        KeyTest::NotIndexable => "not indexable".to_owned(),
    }
}

pub fn statement(statement: &Statement) -> String {
    match statement {
        Statement::Select(select) => self::select(select),
        Statement::Exists(select) => format!("exists {}", self::select(select)),
        Statement::Insert(insert) => format!("insert {} {}", insert.table, item(&insert.item)),
        Statement::Update(change) => format!(
            "update {} {}{}{}",
            target(&change.target),
            update(&change.update),
            residual(change.condition.as_ref()),
            returning(change.returning)
        ),
        Statement::Delete(delete) => format!(
            "delete {}{}{}",
            target(&delete.target),
            residual(delete.condition.as_ref()),
            returning(delete.returning)
        ),
    }
}

fn select(select: &Select) -> String {
    let columns = match &select.columns {
        None => "*".to_owned(),
        Some(columns) => {
            let shown = columns.iter().map(|column| format!("{} as {}", column.path, column.name));
            shown.collect::<Vec<_>>().join(" ")
        }
    };
    let order = select.order.iter().map(|key| format!(" {}{}", if key.descending { "-" } else { "+" }, key.name));
    format!(
        "select {columns} from {}{}{}",
        target(&select.target),
        residual(select.condition.as_ref()),
        order.collect::<String>()
    )
}

fn target(target: &Target) -> String {
    match &target.index {
        None => target.table.clone(),
        Some(index) => format!("{}/{index}", target.table),
    }
}

/// A condition behind something else, if there is one.
pub fn residual(condition: Option<&Condition>) -> String {
    condition.map_or(String::new(), |condition| format!(" if {}", self::condition(condition)))
}

fn returning(returning: Option<Returning>) -> String {
    returning.map_or(String::new(), |returning| format!(" {returning}"))
}

pub fn partitions(found: &Partitions) -> String {
    let mut text = String::new();
    for partition in &found.partitions {
        let test = partition.sort.as_ref().map_or(String::new(), |test| format!(" {}", key_test(test)));
        text.push_str(&format!("({}{test})", value(&partition.value)));
    }
    text + &residual(found.residual.as_ref())
}
