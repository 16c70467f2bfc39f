//! The grammar: recursive descent over the words.
//!
//! ```text
//! statement  = (select | insert | update | delete | from-first | EXISTS "(" select ")") [";"]
//! select     = SELECT ("*" | path {"," path}) FROM target [WHERE or] [ORDER BY name [ASC|DESC] {"," …}]
//! insert     = INSERT INTO target VALUE primary
//! update     = UPDATE target actions [WHERE or] [returning]
//! from-first = FROM target [WHERE or] actions [returning]
//! delete     = DELETE FROM target [WHERE or] [returning]
//! actions    = (SET path "=" sum {"," path "=" sum} | REMOVE path {"," path})+
//! or         = and {OR and}          and = not {AND not}         not = NOT not | comparison
//! comparison = sum [("=" | "<>" | …) sum | [NOT] BETWEEN sum AND sum | [NOT] IN list | IS [NOT] (NULL | MISSING | type)]
//! sum        = primary {("+" | "-") primary}
//! primary    = literal | "?" | path | call | "(" or ")"
//! ```
//!
//! What is refused is named by the service's parser, which tells an operator, a keyword and anything else apart where a
//! term should begin.

use crate::error::ExpressionError;
use crate::path::{Path, Step};

use super::token::{Kind, Position, Token, tokens};
use super::tree::{IsTest, Node, SelectTree, SetOrRemove, Term, Tree};
use crate::partiql::{DEPTH_MAX, OrderKey, Returning, Target, malformed};

type Parsed<T> = Result<T, ExpressionError>;

/// Words that are operators where a term should begin.
const OPERATORS: [&str; 7] = ["AND", "OR", "IS", "IN", "LIKE", "BETWEEN", "ESCAPE"];

/// Clauses of SQL that DynamoDB does not have.
const UNSUPPORTED_CLAUSES: [&str; 5] = ["LIMIT", "GROUP", "HAVING", "OFFSET", "LET"];

/// The types of SQL that may stand behind IS.
const TYPES: [&str; 26] = [
    "BOOL",
    "BOOLEAN",
    "SMALLINT",
    "INTEGER2",
    "INT2",
    "INT4",
    "INTEGER4",
    "INT8",
    "INTEGER8",
    "INT",
    "INTEGER",
    "BIGINT",
    "FLOAT",
    "REAL",
    "DOUBLE",
    "DECIMAL",
    "NUMERIC",
    "TIMESTAMP",
    "CHARACTER",
    "VARCHAR",
    "STRING",
    "SYMBOL",
    "BLOB",
    "STRUCT",
    "LIST",
    "BAG",
];

/// Parses one statement; also how many parameters it has.
///
/// # Errors
/// The first mistake.
pub fn statement(text: &str) -> Parsed<(Tree, usize)> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, parameters: 0, depth: 0 };
    let tree = parser.statement()?;
    parser.eat_symbol(";");
    match parser.kind() {
        Kind::End => Ok((tree, parser.parameters)),
        _ => Err(parser.leftover()),
    }
}

struct Parser<'t> {
    tokens: Vec<Token<'t>>,
    at: usize,
    /// Question marks seen so far.
    parameters: usize,
    depth: usize,
}

/// Words and punctuation.
impl<'t> Parser<'t> {
    fn kind(&self) -> &Kind<'t> {
        &self.tokens[self.at].kind
    }

    fn position(&self) -> Position {
        self.tokens[self.at].at
    }

    /// Moves on; the last word is never passed.
    fn advance(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.kind(), Kind::Word(text) if text.eq_ignore_ascii_case(word))
    }

    fn is_one_of(&self, words: &[&'static str]) -> Option<&'static str> {
        words.iter().copied().find(|word| self.is_word(word))
    }

    fn is_symbol_ahead(&self, ahead: usize, symbol: &str) -> bool {
        self.tokens.get(self.at + ahead).is_some_and(|token| matches!(token.kind, Kind::Symbol(is) if is == symbol))
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let is_there = self.is_word(word);
        if is_there {
            self.advance();
        }
        is_there
    }

    fn eat_symbol(&mut self, symbol: &str) -> bool {
        let is_there = self.is_symbol_ahead(0, symbol);
        if is_there {
            self.advance();
        }
        is_there
    }

    fn expect_word(&mut self, word: &str) -> Parsed<()> {
        if self.eat_word(word) { Ok(()) } else { Err(malformed(&format!("Expected {word}"))) }
    }

    fn expect_symbol(&mut self, symbol: &str) -> Parsed<()> {
        if self.eat_symbol(symbol) { Ok(()) } else { Err(malformed(&format!("Expected {symbol}"))) }
    }

    /// What is behind the end of a whole statement.
    fn leftover(&self) -> ExpressionError {
        match self.is_one_of(&UNSUPPORTED_CLAUSES) {
            Some(clause) => {
                let at = self.tokens.get(self.at + 1).map_or(self.position(), |next| next.at);
                ExpressionError::bare(format!("Unsupported clause: {clause} at {at}"))
            }
            None => malformed("Unexpected token after expression"),
        }
    }

    /// Runs `inner` one level deeper.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(crate::partiql::statement::too_deep());
        }
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// `item {"," item}`
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.eat_symbol(",") {
            items.push(item(self)?);
        }
        Ok(items)
    }
}

/// Statements and clauses.
impl Parser<'_> {
    fn statement(&mut self) -> Parsed<Tree> {
        if self.eat_word("SELECT") {
            return self.select().map(Tree::Select);
        }
        if self.eat_word("INSERT") {
            return self.insert();
        }
        if self.eat_word("UPDATE") {
            let target = self.simple_target()?;
            let actions = self.actions()?;
            let condition = self.condition()?;
            let returning = self.returning()?;
            return Ok(Tree::Update { target, actions, condition, returning });
        }
        if self.eat_word("DELETE") {
            self.expect_word("FROM")?;
            let target = self.simple_target()?;
            let condition = self.condition()?;
            let returning = self.returning()?;
            return Ok(Tree::Delete { target, condition, returning });
        }
        if self.eat_word("FROM") {
            let target = self.target()?;
            let condition = self.condition()?;
            let actions = self.actions()?;
            let returning = self.returning()?;
            return Ok(Tree::Update { target, actions, condition, returning });
        }
        if self.eat_word("EXISTS") {
            self.expect_symbol("(")?;
            self.expect_word("SELECT")?;
            let select = self.select()?;
            self.expect_symbol(")")?;
            return Ok(Tree::Exists(select));
        }
        // A term by itself is no statement, whatever it says; of IS the service says what it does not do.
        if matches!(self.kind(), Kind::Word(_) | Kind::Quoted(_))
            && matches!(self.tokens.get(self.at + 1), Some(Token { kind: Kind::Word(word), .. }) if word.eq_ignore_ascii_case("IS"))
        {
            self.comparison()?;
            return Err(ExpressionError::bare("Unsupported operation: IsType"));
        }
        Err(malformed("Expected data manipulation"))
    }

    fn select(&mut self) -> Parsed<SelectTree> {
        let columns = if self.eat_symbol("*") { None } else { Some(self.list(Self::column)?) };
        let mismatch = columns.iter().flatten().find_map(|column| column.as_ref().err().cloned());
        let columns = columns.map(|columns| columns.into_iter().flatten().collect());
        self.expect_word("FROM")?;
        let target = self.target()?;
        let condition = self.condition()?;
        let mut order = Vec::new();
        if self.eat_word("ORDER") {
            self.expect_word("BY")?;
            order = self.list(Self::order_key)?;
        }
        Ok(SelectTree { target, columns, mismatch, condition, order })
    }

    /// A column: a path, or what the service finds unfit to be one only when the statement is read to its end.
    fn column(&mut self) -> Parsed<Result<Path, ExpressionError>> {
        let at = self.position();
        let mismatch = || ExpressionError::bare(format!("Unexpected path component at {at}"));
        if self.is_symbol_ahead(1, "(") && matches!(self.kind(), Kind::Word(_)) {
            self.advance();
            self.parenthesized()?;
            return Ok(Err(mismatch()));
        }
        if matches!(self.kind(), Kind::Text(_) | Kind::Number(_) | Kind::Parameter) {
            self.parameters += usize::from(*self.kind() == Kind::Parameter);
            self.advance();
            return Ok(Err(mismatch()));
        }
        if !matches!(self.kind(), Kind::Word(_) | Kind::Quoted(_)) || self.is_word("FROM") {
            return Err(self.unexpected());
        }
        let path = self.path()?;
        self.refuse_alias()?;
        Ok(Ok(path))
    }

    /// Passes what stands in parentheses, whatever it is.
    fn parenthesized(&mut self) -> Parsed<()> {
        let mut open = 0_usize;
        loop {
            match self.kind() {
                Kind::Symbol("(") => open += 1,
                Kind::Symbol(")") => open -= 1,
                Kind::Parameter => self.parameters += 1,
                Kind::End => return Err(self.unexpected()),
                _ => {}
            }
            self.advance();
            if open == 0 {
                return Ok(());
            }
        }
    }

    fn refuse_alias(&self) -> Parsed<()> {
        let is_alias = match self.kind() {
            Kind::Quoted(_) => true,
            Kind::Word(word) => self.is_word("AS") || self.is_word("AT") || !is_keyword(word),
            _ => false,
        };
        if is_alias { Err(ExpressionError::bare("Aliasing is not supported")) } else { Ok(()) }
    }

    fn order_key(&mut self) -> Parsed<OrderKey> {
        let path = self.path()?;
        let descending = self.eat_word("DESC");
        if !descending {
            self.eat_word("ASC");
        }
        match path.is_nested() {
            false => Ok(OrderKey { name: path.root().to_owned(), descending }),
            true => Err(ExpressionError::bare(format!(
                "Attribute {} in ORDER BY clause must be part of the primary key",
                crate::partiql::statement::column_name(&path)
            ))),
        }
    }

    fn insert(&mut self) -> Parsed<Tree> {
        self.expect_word("INTO")?;
        let at = self.position();
        let target = self.simple_name()?;
        if !self.is_word("VALUE") {
            return Err(self.leftover());
        }
        self.advance();
        let value = self.primary()?;
        Ok(Tree::Insert { target, at, value })
    }

    /// SET and REMOVE, in any number and order, at least one of them.
    fn actions(&mut self) -> Parsed<Vec<SetOrRemove>> {
        let mut actions = Vec::new();
        loop {
            if self.eat_word("SET") {
                actions.extend(self.list(Self::assignment)?);
            } else if self.eat_word("REMOVE") {
                actions.extend(self.list(|parser| parser.path().map(SetOrRemove::Remove))?);
            } else if actions.is_empty() {
                return Err(malformed("Expected data manipulation"));
            } else {
                return Ok(actions);
            }
        }
    }

    fn assignment(&mut self) -> Parsed<SetOrRemove> {
        let path = self.path()?;
        self.expect_symbol("=")?;
        Ok(SetOrRemove::Set(path, self.sum()?))
    }

    fn condition(&mut self) -> Parsed<Option<Term>> {
        if self.eat_word("WHERE") { self.or().map(Some) } else { Ok(None) }
    }

    fn returning(&mut self) -> Parsed<Option<Returning>> {
        if !self.eat_word("RETURNING") {
            return Ok(None);
        }
        let modified = self.eat_word("MODIFIED");
        if !modified {
            self.expect_word("ALL")?;
        }
        let new = self.eat_word("NEW");
        if !new {
            self.expect_word("OLD")?;
        }
        self.expect_symbol("*")?;
        Ok(Some(Returning { modified, new }))
    }

    /// The target of a statement that changes something: its first name must be there.
    fn simple_target(&mut self) -> Parsed<Target> {
        let target = self.simple_name()?;
        self.refuse_alias()?;
        Ok(target)
    }

    fn simple_name(&mut self) -> Parsed<Target> {
        let is_name = match self.kind() {
            Kind::Quoted(_) => true,
            Kind::Word(word) => !is_keyword(word),
            _ => false,
        };
        if is_name { self.name() } else { Err(malformed("Expected identifier for simple path")) }
    }

    /// A target that may have no name of its own.
    fn target(&mut self) -> Parsed<Target> {
        let target = self.name()?;
        self.refuse_alias()?;
        Ok(target)
    }

    /// `name` or `name.name`.
    fn name(&mut self) -> Parsed<Target> {
        let table = match self.kind() {
            Kind::Quoted(name) => name.clone(),
            Kind::Word(word) if !is_keyword(word) => (*word).to_owned(),
            _ => return Err(self.unexpected()),
        };
        self.advance();
        let mut index = None;
        while self.eat_symbol(".") {
            let part = self.component()?;
            if index.replace(part).is_some() {
                return Err(ExpressionError::bare("A path may contain at most 2 components in the FROM clause"));
            }
        }
        if table.is_empty() || index.as_ref().is_some_and(String::is_empty) {
            return Err(ExpressionError::bare("Path component cannot be an empty string"));
        }
        Ok(Target { table, index })
    }

    /// What stands behind a dot.
    fn component(&mut self) -> Parsed<String> {
        let name = match self.kind() {
            Kind::Quoted(name) => name.clone(),
            Kind::Word(word) if !is_keyword(word) => (*word).to_owned(),
            _ => return Err(malformed("Invalid path dot component")),
        };
        self.advance();
        Ok(name)
    }

    /// A document path.
    fn path(&mut self) -> Parsed<Path> {
        let root = match self.kind() {
            Kind::Quoted(name) => name.clone(),
            Kind::Word(word) if !is_keyword(word) => (*word).to_owned(),
            _ => return Err(self.unexpected()),
        };
        self.advance();
        let mut steps = Vec::new();
        loop {
            if self.eat_symbol(".") {
                steps.push(Step::Name(self.component()?.into()));
            } else if self.eat_symbol("[") {
                let step = self.bracketed_step()?;
                steps.push(step);
                self.advance();
                self.expect_symbol("]")?;
            } else {
                return Ok(Path::new(root, steps));
            }
        }
    }

    /// What stands between brackets: an index, which the service checks in the grammar, or a name.
    fn bracketed_step(&mut self) -> Parsed<Step> {
        let negative = self.eat_symbol("-");
        match self.kind() {
            Kind::Text(name) if !negative => Ok(Step::Name(name.as_str().into())),
            Kind::Number(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                let in_range = |index: &u32| if negative { *index == 0 } else { i32::try_from(*index).is_ok() };
                digits.parse().ok().filter(in_range).map(Step::Index).ok_or_else(|| {
                    let sign = if negative { "-" } else { "" };
                    let at = self.position();
                    ExpressionError::bare(format!(
                        "List index is not within the allowable range; index: [{sign}{digits}] at {at}"
                    ))
                })
            }
            _ => Err(self.unexpected()),
        }
    }
}

/// Terms.
impl Parser<'_> {
    fn or(&mut self) -> Parsed<Term> {
        let at = self.position();
        let mut operands = vec![self.and()?];
        while self.eat_word("OR") {
            self.right_side()?;
            operands.push(self.and()?);
        }
        Ok(joined(at, operands, Node::Or))
    }

    fn and(&mut self) -> Parsed<Term> {
        let at = self.position();
        let mut operands = vec![self.not()?];
        while self.eat_word("AND") {
            self.right_side()?;
            operands.push(self.not()?);
        }
        Ok(joined(at, operands, Node::And))
    }

    /// An infix operator wants another term.
    fn right_side(&self) -> Parsed<()> {
        match self.kind() {
            Kind::End => Err(malformed("Missing right-hand side expression of infix operator")),
            _ => Ok(()),
        }
    }

    fn not(&mut self) -> Parsed<Term> {
        let at = self.position();
        if self.eat_word("NOT") {
            let operand = self.nested(Self::not)?;
            return Ok(Term { at, node: Node::Not(Box::new(operand)) });
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Parsed<Term> {
        let left = self.sum()?;
        let at = left.at;
        for operator in ["=", "<>", "!=", "<=", ">=", "<", ">"] {
            if self.eat_symbol(operator) {
                self.right_side()?;
                let operator = if operator == "!=" { "<>" } else { operator };
                let right = self.sum()?;
                return Ok(Term { at, node: Node::Infix(operator, Box::new(left), Box::new(right)) });
            }
        }
        if self.eat_word("IS") {
            let negated = self.eat_word("NOT");
            let test = Node::Is(Box::new(left), self.is_test()?);
            return Ok(negated_if(negated, at, test));
        }
        let is_negated = self.is_word("NOT");
        if is_negated {
            self.advance();
        }
        if self.eat_word("BETWEEN") {
            let lower = self.sum()?;
            self.expect_word("AND")?;
            let upper = self.sum()?;
            return Ok(negated_if(is_negated, at, Node::Between(Box::new([left, lower, upper]))));
        }
        if self.eat_word("IN") {
            let candidates = self.candidates()?;
            return Ok(negated_if(is_negated, at, Node::In(Box::new(left), Box::new(candidates))));
        }
        if is_negated {
            return Err(malformed("Unexpected token after expression"));
        }
        Ok(left)
    }

    fn is_test(&mut self) -> Parsed<IsTest> {
        let test = match self.is_one_of(&TYPES) {
            _ if self.is_word("NULL") => IsTest::Null,
            _ if self.is_word("MISSING") => IsTest::Missing,
            Some(name) => IsTest::Type(name),
            None => return Err(malformed("Expected type name")),
        };
        self.advance();
        if test == IsTest::Type("DOUBLE") {
            self.eat_word("PRECISION");
        }
        Ok(test)
    }

    /// What IN may be followed by: a list in brackets or parentheses, or a parameter that is one.
    fn candidates(&mut self) -> Parsed<Term> {
        if !self.is_symbol_ahead(0, "(") {
            return self.primary();
        }
        let at = self.position();
        self.advance();
        let members = self.nested(|parser| parser.list(Self::sum))?;
        self.expect_symbol(")")?;
        Ok(Term { at, node: Node::List(members) })
    }

    /// Terms with plus and minus between them. Each operator is a level of the tree, which others walk down.
    fn sum(&mut self) -> Parsed<Term> {
        let outside = self.depth;
        let mut left = self.primary()?;
        while let Kind::Symbol(operator @ ("+" | "-")) = *self.kind() {
            self.advance();
            self.right_side()?;
            let right = self.nested(Self::primary)?;
            left = Term { at: left.at, node: Node::Infix(operator, Box::new(left), Box::new(right)) };
            self.depth += 1;
        }
        self.depth = outside;
        Ok(left)
    }

    fn primary(&mut self) -> Parsed<Term> {
        let at = self.position();
        let node = match self.kind() {
            Kind::Text(text) => Node::Text(text.clone()),
            Kind::Number(digits) => Node::Number((*digits).to_owned()),
            Kind::Parameter => {
                self.parameters += 1;
                Node::Parameter(self.parameters - 1)
            }
            Kind::Symbol("-" | "+") => Node::Number(self.signed_number()?),
            Kind::Symbol("[") => return self.nested(|parser| parser.members("]", Node::List)),
            Kind::Symbol("<<") => return self.nested(|parser| parser.members(">>", Node::Bag)),
            Kind::Symbol("{") => return self.nested(Self::map),
            Kind::Symbol("(") => {
                self.advance();
                let inner = self.nested(Self::or)?;
                self.expect_symbol(")")?;
                return Ok(inner);
            }
            Kind::Word(word) if self.is_symbol_ahead(1, "(") && is_function(word) => {
                let name = (*word).to_owned();
                return self.nested(|parser| parser.call(name));
            }
            Kind::Quoted(_) => return Ok(Term { at, node: Node::Path(self.path()?) }),
            Kind::Word(_) => match self.constant() {
                Some(node) => node,
                None => return Ok(Term { at, node: Node::Path(self.path()?) }),
            },
            _ => return Err(self.unexpected()),
        };
        self.advance();
        Ok(Term { at, node })
    }

    /// A number behind its signs, of which there may be several; the number itself is still next.
    fn signed_number(&mut self) -> Parsed<String> {
        let first = self.at;
        let mut negative = false;
        while let Kind::Symbol(sign @ ("-" | "+")) = *self.kind() {
            negative ^= sign == "-";
            self.advance();
        }
        let Kind::Number(digits) = *self.kind() else {
            self.at = first;
            return Err(self.unexpected());
        };
        Ok(if negative { format!("-{digits}") } else { digits.to_owned() })
    }

    fn constant(&self) -> Option<Node> {
        match self.is_one_of(&["TRUE", "FALSE", "NULL", "MISSING"])? {
            "TRUE" => Some(Node::Bool(true)),
            "FALSE" => Some(Node::Bool(false)),
            "NULL" => Some(Node::Null),
            _ => Some(Node::Missing),
        }
    }

    /// The members of a list or a bag, whose opening bracket is next.
    fn members(&mut self, close: &str, node: fn(Vec<Term>) -> Node) -> Parsed<Term> {
        let at = self.position();
        self.advance();
        let members = if self.is_symbol_ahead(0, close) { Vec::new() } else { self.list(Self::sum)? };
        self.expect_symbol(close)?;
        Ok(Term { at, node: node(members) })
    }

    fn map(&mut self) -> Parsed<Term> {
        let at = self.position();
        self.advance();
        let members = if self.is_symbol_ahead(0, "}") { Vec::new() } else { self.list(Self::member)? };
        self.expect_symbol("}")?;
        Ok(Term { at, node: Node::Map(members) })
    }

    fn member(&mut self) -> Parsed<(String, Term)> {
        let name = match self.kind() {
            Kind::Text(name) | Kind::Quoted(name) => name.clone(),
            _ => return Err(self.unexpected()),
        };
        self.advance();
        self.expect_symbol(":")?;
        Ok((name, self.sum()?))
    }

    fn call(&mut self, name: String) -> Parsed<Term> {
        let at = self.position();
        self.advance();
        self.advance();
        let arguments = if self.is_symbol_ahead(0, ")") { Vec::new() } else { self.list(Self::sum)? };
        self.expect_symbol(")")?;
        Ok(Term { at, node: Node::Call(name, arguments) })
    }

    /// What is wrong with a word where a term should begin.
    fn unexpected(&self) -> ExpressionError {
        malformed(match self.kind() {
            Kind::Word(_) if self.is_one_of(&OPERATORS).is_some() => "Unexpected operator",
            Kind::Word(_) => "Unexpected keyword",
            Kind::Symbol("=" | "<>" | "!=" | "<" | "<=" | ">" | ">=" | "*" | "+" | "-") => "Unexpected operator",
            _ => "Unexpected term",
        })
    }
}

fn joined(at: Position, mut operands: Vec<Term>, node: fn(Vec<Term>) -> Node) -> Term {
    match operands.len() {
        1 => operands.remove(0),
        _ => Term { at, node: node(operands) },
    }
}

fn negated_if(negated: bool, at: Position, node: Node) -> Term {
    let term = Term { at, node };
    if negated { Term { at, node: Node::Not(Box::new(term)) } } else { term }
}

/// A word in front of a parenthesis is a function, unless SQL has another use for it there.
fn is_function(word: &str) -> bool {
    let other =
        ["SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "IN", "IS", "BETWEEN", "LIKE", "VALUE", "SET", "REMOVE"];
    !other.iter().any(|keyword| keyword.eq_ignore_ascii_case(word))
}

/// Whether a bare word cannot be a name; `"word"` can.
pub(in crate::partiql) fn is_keyword(word: &str) -> bool {
    let upper = word.to_ascii_uppercase();
    KEYWORDS.binary_search(&upper.as_str()).is_ok()
}

/// The reserved words of SQL-92 and of PartiQL, sorted; without the names of PartiQL's types, which are common names of
/// attributes and nothing else in a statement.
const KEYWORDS: [&str; 226] = [
    "ABSOLUTE",
    "ACTION",
    "ADD",
    "ALL",
    "ALLOCATE",
    "ALTER",
    "AND",
    "ANY",
    "ARE",
    "AS",
    "ASC",
    "ASSERTION",
    "AT",
    "AUTHORIZATION",
    "AVG",
    "BEGIN",
    "BETWEEN",
    "BIT",
    "BIT_LENGTH",
    "BOTH",
    "BY",
    "CAN_CAST",
    "CAN_LOSSLESS_CAST",
    "CASCADE",
    "CASCADED",
    "CASE",
    "CAST",
    "CATALOG",
    "CHAR",
    "CHARACTER",
    "CHARACTER_LENGTH",
    "CHAR_LENGTH",
    "CHECK",
    "CLOSE",
    "COALESCE",
    "COLLATE",
    "COLLATION",
    "COLUMN",
    "COMMIT",
    "CONNECT",
    "CONNECTION",
    "CONSTRAINT",
    "CONSTRAINTS",
    "CONTINUE",
    "CONVERT",
    "CORRESPONDING",
    "COUNT",
    "CREATE",
    "CROSS",
    "CURRENT",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "CURRENT_USER",
    "CURSOR",
    "DATE",
    "DEALLOCATE",
    "DEC",
    "DECIMAL",
    "DECLARE",
    "DEFAULT",
    "DEFERRABLE",
    "DEFERRED",
    "DELETE",
    "DESC",
    "DESCRIBE",
    "DESCRIPTOR",
    "DIAGNOSTICS",
    "DISCONNECT",
    "DISTINCT",
    "DOMAIN",
    "DOUBLE",
    "DROP",
    "ELSE",
    "END",
    "ESCAPE",
    "EXCEPT",
    "EXCEPTION",
    "EXEC",
    "EXECUTE",
    "EXISTS",
    "EXTERNAL",
    "EXTRACT",
    "FALSE",
    "FETCH",
    "FIRST",
    "FLOAT",
    "FOR",
    "FOREIGN",
    "FOUND",
    "FROM",
    "FULL",
    "GET",
    "GLOBAL",
    "GO",
    "GOTO",
    "GRANT",
    "GROUP",
    "HAVING",
    "IDENTITY",
    "IMMEDIATE",
    "IN",
    "INDICATOR",
    "INITIALLY",
    "INNER",
    "INPUT",
    "INSENSITIVE",
    "INSERT",
    "INT",
    "INTEGER",
    "INTERSECT",
    "INTERVAL",
    "INTO",
    "IS",
    "ISOLATION",
    "JOIN",
    "KEY",
    "LANGUAGE",
    "LAST",
    "LEADING",
    "LEFT",
    "LEVEL",
    "LIKE",
    "LIMIT",
    "LOCAL",
    "LOWER",
    "MATCH",
    "MAX",
    "MIN",
    "MISSING",
    "MODULE",
    "NAMES",
    "NATIONAL",
    "NATURAL",
    "NCHAR",
    "NEXT",
    "NO",
    "NOT",
    "NULL",
    "NULLIF",
    "NUMERIC",
    "OCTET_LENGTH",
    "OF",
    "ON",
    "ONLY",
    "OPEN",
    "OPTION",
    "OR",
    "ORDER",
    "OUTER",
    "OUTPUT",
    "OVERLAPS",
    "PAD",
    "PARTIAL",
    "PIVOT",
    "POSITION",
    "PRECISION",
    "PREPARE",
    "PRESERVE",
    "PRIMARY",
    "PRIOR",
    "PRIVILEGES",
    "PROCEDURE",
    "PUBLIC",
    "READ",
    "REAL",
    "REFERENCES",
    "RELATIVE",
    "REMOVE",
    "RESTRICT",
    "RETURNING",
    "REVOKE",
    "RIGHT",
    "ROLLBACK",
    "ROWS",
    "SCHEMA",
    "SCROLL",
    "SECTION",
    "SELECT",
    "SESSION",
    "SESSION_USER",
    "SET",
    "SIZE",
    "SMALLINT",
    "SOME",
    "SPACE",
    "SQL",
    "SQLCODE",
    "SQLERROR",
    "SQLSTATE",
    "SUBSTRING",
    "SUM",
    "SYSTEM_USER",
    "TABLE",
    "TEMPORARY",
    "THEN",
    "TIME",
    "TIMESTAMP",
    "TO",
    "TRAILING",
    "TRANSACTION",
    "TRANSLATE",
    "TRANSLATION",
    "TRIM",
    "TRUE",
    "UNION",
    "UNIQUE",
    "UNKNOWN",
    "UNPIVOT",
    "UPDATE",
    "UPPER",
    "USAGE",
    "USER",
    "USING",
    "VALUE",
    "VALUES",
    "VARCHAR",
    "VARYING",
    "VIEW",
    "WHEN",
    "WHENEVER",
    "WHERE",
    "WITH",
    "WORK",
    "WRITE",
    "ZONE",
];
