//! What the parser makes of a text: placeholders not yet replaced, nothing checked but the grammar.
//!
//! Everything borrows from the source text, so that parsing allocates little more than the nodes.

/// A condition, filter or key condition.
#[derive(Debug)]
pub enum Logic<'t> {
    /// At least two operands.
    And(Vec<Logic<'t>>),
    /// At least two operands.
    Or(Vec<Logic<'t>>),
    Not(Box<Logic<'t>>),
    Compare {
        operator: Comparator,
        left: Term<'t>,
        right: Term<'t>,
    },
    Between {
        value: Term<'t>,
        lower: Term<'t>,
        upper: Term<'t>,
    },
    In {
        value: Term<'t>,
        candidates: Vec<Term<'t>>,
    },
    Call(Call<'t>),
}

/// The six comparison operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparator {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparator {
    /// As written.
    pub fn symbol(self) -> &'static str {
        match self {
            Comparator::Equal => "=",
            Comparator::NotEqual => "<>",
            Comparator::Less => "<",
            Comparator::LessOrEqual => "<=",
            Comparator::Greater => ">",
            Comparator::GreaterOrEqual => ">=",
        }
    }

    /// The operator that says the same with its operands exchanged.
    pub fn mirrored(self) -> Self {
        match self {
            Comparator::Less => Comparator::Greater,
            Comparator::LessOrEqual => Comparator::GreaterOrEqual,
            Comparator::Greater => Comparator::Less,
            Comparator::GreaterOrEqual => Comparator::LessOrEqual,
            same => same,
        }
    }
}

/// An operand.
#[derive(Debug)]
pub enum Term<'t> {
    Path(RawPath<'t>),
    /// A value placeholder with its colon.
    Value(&'t str),
    Call(Call<'t>),
}

/// A function with its arguments, whether or not there is such a function.
#[derive(Debug)]
pub struct Call<'t> {
    pub name: &'t str,
    pub arguments: Vec<Term<'t>>,
}

/// A document path as written.
#[derive(Debug)]
pub struct RawPath<'t> {
    pub root: RawName<'t>,
    pub steps: Vec<RawStep<'t>>,
}

#[derive(Clone, Copy, Debug)]
pub enum RawName<'t> {
    Literal(&'t str),
    /// With its `#`.
    Placeholder(&'t str),
}

#[derive(Clone, Copy, Debug)]
pub enum RawStep<'t> {
    Name(RawName<'t>),
    Index(u32),
}

/// An update: its actions in the order of the text.
#[derive(Debug)]
pub struct RawUpdate<'t> {
    pub actions: Vec<RawAction<'t>>,
}

#[derive(Debug)]
pub enum RawAction<'t> {
    Set {
        path: RawPath<'t>,
        value: RawSum<'t>,
    },
    Remove {
        path: RawPath<'t>,
    },
    /// The value is a placeholder with its colon.
    Add {
        path: RawPath<'t>,
        value: &'t str,
    },
    Delete {
        path: RawPath<'t>,
        value: &'t str,
    },
}

/// The right side of `SET path =`.
#[derive(Debug)]
pub enum RawSum<'t> {
    Just(Term<'t>),
    Plus(Term<'t>, Term<'t>),
    Minus(Term<'t>, Term<'t>),
}
